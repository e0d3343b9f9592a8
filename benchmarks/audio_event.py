"""CPU time per audio event, against a bare loop that does nothing but take it off the socket and hand it on.

    python benchmarks/audio_event.py [--loop uvloop] [--rounds 5] [--json FILE]

All sides listen to the same server in the same process, one after another, in several rounds of alternating order. Only
ratios within a round mean anything: they travel to other machines, microseconds don't.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time
from typing import TypeAlias

import anyio
from msgspec import Struct
from msgspec.json import Decoder
from websockets.asyncio.client import connect

from rtactors import Session
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import base as sinks

SESSIONS = 50
PIECES = 200  # of 20 ms each, which are 960 bytes: 4 s of audio a session and round
PIECE_BYTES = 960

Listen: TypeAlias = Callable[[], Awaitable[int]]
"""Ask for a reply, listen to all of it, return how many bytes of audio there were."""
Side: TypeAlias = Callable[[str], AbstractAsyncContextManager[Listen]]
"""Connects to a URL, so that connecting is not measured."""


# ----------------------------------------------------------------------------------------------------- the bare loop


class Event(Struct, tag_field="type"):
    """What the server sends; the floor reads of it only what it needs."""


class AudioDelta(Event, tag="response.output_audio.delta"):
    delta: bytes


class ResponseDone(Event, tag="response.done"):
    pass


class SessionCreated(Event, tag="session.created"):
    pass


class SessionUpdated(Event, tag="session.updated"):
    pass


class ResponseCreated(Event, tag="response.created"):
    pass


class OutputItemAdded(Event, tag="response.output_item.added"):
    pass


class OutputItemDone(Event, tag="response.output_item.done"):
    pass


class ItemAdded(Event, tag="conversation.item.added"):
    pass


class ItemDone(Event, tag="conversation.item.done"):
    pass


class PartAdded(Event, tag="response.content_part.added"):
    pass


class PartDone(Event, tag="response.content_part.done"):
    pass


class AudioDone(Event, tag="response.output_audio.done"):
    pass


class TranscriptDone(Event, tag="response.output_audio_transcript.done"):
    pass


ServerEvent: TypeAlias = (
    AudioDelta
    | ResponseDone
    | SessionCreated
    | SessionUpdated
    | ResponseCreated
    | OutputItemAdded
    | OutputItemDone
    | ItemAdded
    | ItemDone
    | PartAdded
    | PartDone
    | AudioDone
    | TranscriptDone
)


@asynccontextmanager
async def bare(url: str, *, read_bytes: int | None = None) -> AsyncGenerator[Listen]:
    """The floor: websockets, msgspec, a direct call."""
    decode = Decoder(ServerEvent).decode
    async with connect(url, compression=None, max_size=None) as socket:
        if read_bytes and hasattr(socket.transport, "max_size"):  # not on uvloop
            socket.transport.max_size = read_bytes  # pyright: ignore[reportAttributeAccessIssue] - asyncio's, untyped

        async def listen() -> int:
            heard: list[bytes] = []
            write = heard.append
            await socket.send('{"type": "response.create"}')
            while True:
                event = decode(await socket.recv(decode=False))
                if type(event) is AudioDelta:
                    write(event.delta)
                elif type(event) is ResponseDone:
                    return sum(map(len, heard))

        yield listen


# ----------------------------------------------------------------------------------------------------------- rtactors


class Keep:
    """A sink that does no more than the floor: it keeps what it is given, and says that it was heard."""

    rate = 24_000

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._report: Callable[[sinks.Report], None]

    def begin(self, message_id: str) -> None:
        self._report(sinks.Started(message_id, anyio.current_time()))

    def write(self, message_id: str, pcm: bytes) -> None:  # noqa: ARG002 - there is only one message
        self.heard.append(pcm)

    def finish(self, message_id: str) -> None:
        self._report(sinks.Finished(message_id, sum(map(len, self.heard)) // 2, anyio.current_time()))

    clear = finish

    def pause(self, message_id: str) -> None:
        self._report(sinks.Paused(message_id, sum(map(len, self.heard)) // 2))

    def resume(self, message_id: str) -> None:
        self._report(sinks.Resumed(message_id))

    async def run(self, report: Callable[[sinks.Report], None]) -> None:
        self._report = report
        await anyio.sleep_forever()


@asynccontextmanager
async def ours(url: str) -> AsyncGenerator[Listen]:
    """A whole session: states, record, and an interruption possible at any moment."""
    sink = Keep()
    provider = OpenAIRealtime("gpt-realtime-2", websocket_base_url=url.removesuffix("/realtime"), api_key="none")
    async with Session(provider, sink=sink) as session:

        async def listen() -> int:
            reply = await session.ask("Count to three.")
            await reply.done()
            return sum(map(len, sink.heard))

        yield listen


SIDES: dict[str, Side] = {
    "bare": bare,
    # asyncio reads into a new buffer of 256 KiB each time unless it is told otherwise.
    "bare, 64 KiB reads": partial(bare, read_bytes=64 * 1024),
    "rtactors": ours,
}


# -------------------------------------------------------------------------------------------------------- the measure


@contextmanager
def server() -> Generator[str]:
    """A server process, by its URL."""
    command = [sys.executable, str(Path(__file__).with_name("stream_server.py")), str(PIECES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        with process.stdin:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}/v1/realtime"


async def measure(side: Side, url: str) -> float:
    """CPU microseconds per audio event."""

    async def listen_to_all(listen: Listen) -> None:
        heard = await listen()
        assert heard == PIECES * PIECE_BYTES, f"heard {heard} bytes of {PIECES * PIECE_BYTES}"

    async with AsyncExitStack() as stack:
        listens = [await stack.enter_async_context(side(url)) for _ in range(SESSIONS)]
        gc.collect()
        before = process_time()
        async with anyio.create_task_group() as group:
            for listen in listens:
                group.start_soon(listen_to_all, listen)
        return (process_time() - before) / (SESSIONS * PIECES) * 1e6


async def measure_all(url: str, rounds: int) -> list[dict[str, float]]:
    """What each side took in each round."""
    names = list(SIDES)
    results: list[dict[str, float]] = []
    for number in range(rounds + 1):
        order = names if number % 2 else names[::-1]
        took = {name: await measure(SIDES[name], url) for name in order}
        if number:  # the first round is for warming up
            results.append(took)
    return results


def spread(values: list[float]) -> str:
    return f"{median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the evidence")
    options = parser.parse_args()

    with server() as url:
        backend = {"use_uvloop": options.loop == "uvloop"}
        rounds = anyio.run(measure_all, url, options.rounds, backend_options=backend)

    print(f"{SESSIONS} sessions, an event every 20 ms each; {options.rounds} rounds on {options.loop}: median (range)")
    print(f"{'':20}{'CPU us an event':>28}{'ratio to bare':>28}")
    for name in SIDES:
        times = [took[name] for took in rounds]
        ratios = [took[name] / took["bare"] for took in rounds]
        print(f"{name:20}{spread(times):>28}{spread(ratios):>28}")

    if options.json:
        machine = {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}
        packages = {name: version(name) for name in ("anyio", "msgspec", "rtactors", "uvloop", "websockets")}
        evidence = {
            "benchmark": Path(__file__).stem,
            "unit": "CPU us per audio event",
            "python": platform.python_version(),
            "loop": options.loop,
            "sessions": SESSIONS,
            "pieces": PIECES,
            **machine,
            "packages": packages,
            "rounds": [{name: round(value, 2) for name, value in took.items()} for took in rounds],
        }
        options.json.write_text(json.dumps(evidence, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
