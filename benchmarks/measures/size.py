"""What a change costs against the size of what it is made in: the history, a response; and what a record adds to it.

All in this process: a session, a socket in memory, and a server whose own cost does not grow (`benchmarks.growing`).
What is counted is CPU time, all threads, until nothing is left to do; of the server's part there is as much in each
case. The rounds take the sizes in alternating order, each with sessions of its own, and ratios are of one round.
"""

import gc
import io
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from time import process_time_ns
from typing import Any

import anyio

from benchmarks.growing import CHANGES, EVERYTHING, Talk, set_history, talk
from benchmarks.growing import Options as SessionOptions
from benchmarks.holding_server import HoldingServer
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, spread
from rtactors.journal import MemoryJournal, SqliteJournal
from rtactors.journal.recall import ledger_of, recall
from rtactors.limits import Bounds
from rtactors.recording import Recorder
from rtactors.testing.clock import run_virtual, settled

TITLE = "Cost against size"
MINUTES = 3

_MANY_TIMES = 10
"""As often as that it is something small, which leaves little behind."""
SIZES = (10, 100, 1000, 10_000)
MESSAGES = (1, 10, 100)
FEW, MANY = SIZES[0], SIZES[-1]
UNTOLD = "an item in the middle, where a new server was told the newest 1000"
WHOLE = ("set_history with one item changed", "session.history", "a new connection told all", "read from a journal")
"""What goes by the whole history, of its nature."""
RECORDS = ("neither", "SqliteJournal", "Recorder", "Recorder, no audio")
HELD_AT_MOST = 1.1
"""What one change in the longest history may cost, of that in the shortest, to be called the same."""


def measure(options: Options) -> Results:
    sizes, messages = (SIZES[:2], MESSAGES[:2]) if options.quick else (SIZES, MESSAGES)
    rounds, times = (1, 3) if options.quick else (5, 30)
    samples: list[dict[str, Any]] = []
    for number in range(rounds):
        turn = slice(None, None, 1 if number % 2 else -1)
        print(f"size: round {number + 1} of {rounds}", file=sys.stderr)
        costs = [
            *(("change", size, _changes(size, times)) for size in sizes[turn]),
            *(("whole", size, _whole(size, times)) for size in sizes[1:][turn]),
            *(("response", size, _response(size, times)) for size in messages[turn]),
            *(("record", kind, _record(kind, times)) for kind in RECORDS[turn]),
        ]
        for part, size, of in costs:
            samples += [
                {"part": part, "size": size, "what": what, "round": number, "us": us} for what, us in of.items()
            ]
    return {"samples": samples}


# ------------------------------------------------------------------------------------------------- what is done


async def _us(change: Callable[[], Awaitable[object]], quiet: Callable[[], Awaitable[None]], times: int) -> float:
    """CPU of doing it once: the median of so many times, after a first one that has things to prepare."""
    taken: list[int] = []
    for number in range(times + 1):
        if number == 0 or times < _MANY_TIMES:
            gc.collect()  # what was left by the one before is not this one's
        before = process_time_ns()
        await change()
        await quiet()
        taken.append(process_time_ns() - before)
    return median(taken[1:]) / 1000


def _changes(items: int, times: int) -> dict[str, float]:
    async def of_each() -> dict[str, float]:
        costs: dict[str, float] = {}
        async with talk(items) as conversation:
            for name, change in CHANGES.items():
                costs[name] = await _us(lambda change=change: change(conversation), conversation.session.quiet, times)
        async with talk(items, bounds=Bounds()) as conversation:
            await conversation.reconnect()
            change = CHANGES["an item in the middle"]
            costs[UNTOLD] = await _us(lambda: change(conversation), conversation.session.quiet, times)
        return costs

    return run_virtual(of_each)


def _whole(items: int, times: int) -> dict[str, float]:
    """For each item."""

    async def of_each() -> list[float]:
        journal = MemoryJournal()
        async with talk(items, journal=journal) as conversation:
            session = conversation.session

            async def look() -> None:
                assert len(session.history) >= items

            async def read() -> None:
                past = await recall(journal, session.id)
                assert len(ledger_of(past.records, epoch=0)) >= items

            few = max(2, times // 10)
            return [
                await _us(lambda: set_history(conversation), session.quiet, few),
                await _us(look, settled, few),
                await _us(conversation.reconnect, settled, few),
                await _us(read, settled, few),
            ]

    return {what: us / items for what, us in zip(WHOLE, run_virtual(of_each), strict=True)}


def _response(messages: int, times: int) -> dict[str, float]:
    """For each message."""

    async def of(change: Callable[[Talk], Awaitable[None]]) -> float:
        server = HoldingServer(messages=messages)
        async with talk(FEW, server) as conversation:
            few = max(2, times // messages)
            return await _us(lambda: change(conversation), conversation.session.quiet, few) / messages

    return {"heard": run_virtual(of, Talk.respond), "skipped": run_virtual(of, Talk.interrupted)}


def _record(kind: str, times: int) -> dict[str, float]:
    """In real time: a disk can't be made to believe in another."""

    async def of(deltas: int, times: int) -> float:
        server = HoldingServer(deltas=deltas)
        async with AsyncExitStack() as stack:
            options = SessionOptions(bounds=Bounds(retold=EVERYTHING))
            if kind == "SqliteJournal":
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                options["journal"] = await stack.enter_async_context(SqliteJournal(Path(folder) / "calls.db"))
            elif kind.startswith("Recorder"):
                file = stack.enter_context(io.FileIO(os.devnull, "wb"))
                options["recorder"] = Recorder(io.BufferedWriter(file), audio=kind == "Recorder")
            conversation = await stack.enter_async_context(talk(FEW, server, **options))
            return await _us(lambda: heard(conversation), conversation.session.quiet, times)

    async def heard(conversation: Talk) -> None:
        reply = await conversation.session.ask("Go on.")
        await conversation.sink.play(conversation.server.audio_ms)
        await reply.done()

    few, many = anyio.run(of, 5, times), anyio.run(of, 1005, max(2, times // 10))
    return {"a reply of one message, 100 ms": few, "an audio event, 20 ms": (many - few) / 1000}


# ------------------------------------------------------------------------------------------------- what it says


class _Part:
    """The samples of one part, by what was done and to what."""

    def __init__(self, results: Results, part: str) -> None:
        self.rounds: dict[tuple[str, Any], dict[int, float]] = {}
        for sample in results["samples"]:
            if sample["part"] == part:
                place = self.rounds.setdefault((sample["what"], sample["size"]), {})
                place[sample["round"]] = sample["us"]
        self.what = list(dict.fromkeys(what for what, _ in self.rounds))

    def sizes(self, of: tuple[Any, ...]) -> list[Any]:
        return [size for size in of if (self.what[0], size) in self.rounds]

    def us(self, what: str, size: Any) -> str:  # noqa: ANN401 - a number or a name
        value = median(self.rounds[what, size].values())
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"

    def ratios(self, what: str, size: Any, base: Any) -> list[float]:  # noqa: ANN401
        """In each round."""
        of, to = self.rounds[what, size], self.rounds[what, base]
        return [of[number] / to[number] for number in of]

    def table(self, head: str, of: tuple[Any, ...], unit: str, base: Any) -> str:  # noqa: ANN401
        sizes = self.sizes(of)
        others = [size for size in sizes if size != base]
        rows = [
            [what, self.us(what, base), *(spread(self.ratios(what, size, base)) for size in others)]
            for what in self.what
        ]
        return markdown([head, f"{base}{unit}, us", *(f"{size} / {base}" for size in others)], rows)


def table(results: Results) -> str:
    change, whole, response, record = (_Part(results, part) for part in ("change", "whole", "response", "record"))
    return "\n".join(
        [
            change.table("one change", SIZES, " items", FEW),
            whole.table("all of it, for each item", SIZES, " items", whole.sizes(SIZES)[0]),
            response.table("a response, for each message", MESSAGES, " messages", MESSAGES[1]),
            record.table("with a record", RECORDS, "", RECORDS[0]),
        ]
    )


def verdicts(results: Results) -> list[Verdict]:
    change = _Part(results, "change")
    most = change.sizes(SIZES)[-1]
    ratios = [median(change.ratios(what, most, FEW)) for what in change.what]
    what = f"One change in a history of {most} items to the same in one of {FEW}, over all kinds of changes"
    return [Verdict(what, spread(ratios), max(ratios) <= HELD_AT_MOST, f"the same: at most {HELD_AT_MOST}")]


if __name__ == "__main__":
    alone(measure, table)
