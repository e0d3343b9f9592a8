"""All conversations of a measurement: the same ones for each side, some at a time, one side after the other."""

import random
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio
import msgspec

from benchmarks.environments import PEERS
from benchmarks.faithfulness import play
from benchmarks.faithfulness.evidence import Evidence
from benchmarks.faithfulness.judge import judge
from benchmarks.faithfulness.scenes import LINES, SITUATIONS
from benchmarks.lineup import FLOOR, OURS
from benchmarks.processes import Side
from rtactors.loopback.voice import EspeakVoice

SIDES = (OURS, *PEERS, FLOOR)
"""In this order; in none of their variants."""
PARTS = 3
"""Conversations of each situation."""
SEED = 1
AT_ONCE = 16
"""Conversations of a side at a time: few enough for the slowest of them on one core."""
APART_S = 0.25
"""Between the beginnings of two: a framework is busiest when it connects."""
LATE_MS = 50
"""A conversation in which the side's loop was later than that says nothing about the side, so it is had again..."""
AGAIN = 1 / 2
"""...unless so many of all have been: a side that holds up its loop itself has to live with it."""


def cases(parts: int = PARTS, seed: int = SEED, only: str = "") -> list[play.Case]:
    """So many of each situation, cut all over: each part is drawn from its own share of what can be heard."""
    chance = random.Random(seed)
    drawn = [[(part + chance.random()) / parts for part in range(parts)] for _ in SITUATIONS]
    wanted = [index for index, each in enumerate(SITUATIONS) if only in f"{each.ids} {each.title}"]
    return [play.Case(index, drawn[index][part]) for part in range(parts) for index in wanted]


def measure(sides: Mapping[str, Side], wanted: Sequence[play.Case], *, verbose: bool = False) -> dict[str, Any]:
    """Those of `SIDES` that are there, one after the other; a peer that breaks down is in `failed`. Plain data."""
    verdicts: list[Any] = []
    versions: dict[str, Any] = {}
    late_ms: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    for name in SIDES:
        if name in sides:
            began = time.monotonic()
            try:
                evidence, versions[name] = anyio.run(partial(converse, name, sides[name], wanted, verbose=verbose))
            except* (RuntimeError, anyio.BrokenResourceError) as broken:
                if name in {FLOOR, OURS}:
                    raise
                failed[name] = _reason(broken)
                print(f"faithfulness: {name} is left out: {failed[name]}", file=sys.stderr)
            else:
                print(f"faithfulness: {name}, {time.monotonic() - began:.0f} s", file=sys.stderr)
                verdicts += [msgspec.to_builtins(judge(each)) for each in evidence]
                late_ms[name] = [each.late_ms for each in evidence]
    return {"verdicts": verdicts, "versions": versions, "late_ms": late_ms, "failed": failed}


def _reason(broken: BaseException) -> str:
    """The first error of however many groups."""
    inner: Sequence[BaseException] = getattr(broken, "exceptions", ())
    return _reason(inner[0]) if inner else str(broken)


async def converse(
    name: str, side: Side, wanted: Sequence[play.Case], *, verbose: bool
) -> tuple[list[Evidence], dict[str, str]]:
    """What is known of each, in the order of situations; and the versions of what was measured."""
    voice = EspeakVoice()
    known = await play.lengths(voice, LINES)
    gathered: list[Evidence] = []
    places = anyio.CapacityLimiter(AT_ONCE)
    again = round(AGAIN * len(wanted))
    async with play.side(name, side.python, side.script, verbose=verbose) as running:

        async def one(case: play.Case) -> None:
            nonlocal again
            async with places:
                evidence = await play.play(running, case, voice, known)
                while evidence.late_ms > LATE_MS and again:
                    again -= 1
                    evidence = await play.play(running, case, voice, known)
                gathered.append(evidence)

        async with anyio.create_task_group() as tasks:
            for case in wanted:
                tasks.start_soon(one, case)
                await anyio.sleep(APART_S)
    return sorted(gathered, key=lambda each: (each.situation, each.part)), running.versions
