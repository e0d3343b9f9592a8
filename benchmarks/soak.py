"""Thousands of short sessions in one process: does all that they took come back?

    python benchmarks/soak.py [--sessions 5000] [--at-once 20] [--loop asyncio|uvloop|trio] [--json FILE]

They are heard to their end, interrupted, spoken over, left, cancelled; they fail, crash, lose their device, or go
through a network that fails (`rtactors.testing.chaos`) or refuses; some live in memory. The server is a process of its
own. Between batches, when no session lives, everything is counted. Ends with 1 if tasks, sockets, file descriptors,
threads or our own objects are not exactly as many as after warming up, or if memory grows.
"""

import argparse
import gc
import json
import math
import os
import platform
import random
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, linear_regression
from typing import TypeAlias

import anyio
from msgspec import Struct
from msgspec.structs import asdict

from rtactors import ConnectionFailed, Deadlines, ReplyFailed, Session, SessionClosed, SinkLost, mail
from rtactors.event_stream import EventStream
from rtactors.limits import Backoff
from rtactors.loopback.script import IMMEDIATE, replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentStartedSpeaking, SessionEvent, UserStartedSpeaking
from rtactors.sinks import MemorySink, PacedSink
from rtactors.sinks.base import Sink
from rtactors.testing.chaos import HOST, ChaosProxy, weather
from rtactors.testing.conversation import speech
from rtactors.testing.faulty_sink import FaultySink
from rtactors.transports.base import Connect

BATCH = 100
"""Sessions between one count and the next."""
WARM_UP = 3
"""Batches that are not counted: caches fill, modules are imported, the allocator finds its size."""
BYTES_A_SESSION = 200
"""More growth of memory than this is a leak."""
SETTLE_S = 10
"""How long what is being closed may take to be gone."""
IMPATIENT = Deadlines(connect=1, keepalive=0.3, close=0.3, acknowledge=0.5)
"""So that a network that goes without a word is found out soon."""
EXACT = ("tasks", "fds", "sockets", "threads", "ours")
"""What has to return to the very number."""

# --------------------------------------------------------------------------------------------------- short lives


class Places(Struct, frozen=True):
    """Ports of this machine."""

    sound: int
    """The server."""
    bad: int
    """The same, through a network that fails."""
    closed: int
    """Nobody."""


Life: TypeAlias = Callable[[Places], Awaitable[None]]


@asynccontextmanager
async def session_at(
    port: int,
    sink: Sink | None = None,
    *,
    connect: Connect | None = None,
    reconnect: Backoff | None = None,
    deadlines: Deadlines | None = None,
) -> AsyncGenerator[Session]:
    provider = OpenAIRealtime(api_key="", websocket_base_url=f"ws://{HOST}:{port}/v1")
    sink, deadlines = sink or MemorySink(), deadlines or Deadlines()
    async with Session(provider, sink=sink, connect=connect, reconnect=reconnect, deadlines=deadlines) as session:
        yield session


async def speaking(session: Session) -> None:
    """Ask for something to say, and wait until it is being said."""
    events = session.events()
    await session.ask("Tell me.")
    await _first(AgentStartedSpeaking, events)


async def _first(what: type[SessionEvent], events: EventStream[SessionEvent]) -> None:
    async for event in events:
        if isinstance(event, what):
            return


async def heard(places: Places) -> None:
    async with session_at(places.sound) as session:
        reply = await session.ask("Tell me.")
        await reply.done()


async def interrupted(places: Places) -> None:
    async with session_at(places.sound, PacedSink()) as session:
        await speaking(session)
        await session.interrupt()
        await session.quiet()


async def spoken_over(places: Places) -> None:
    async with session_at(places.sound, PacedSink()) as session:
        events = session.events()
        await speaking(session)
        await session.send_audio(speech(200))
        await _first(UserStartedSpeaking, events)
        await session.quiet()


async def left_at_once(places: Places) -> None:
    async with session_at(places.sound) as session:
        await session.ask("Tell me.")


async def cancelled(places: Places) -> None:
    with anyio.CancelScope() as scope:
        async with session_at(places.sound, PacedSink()) as session:
            await speaking(session)
            scope.cancel()
            await anyio.sleep_forever()


async def failed(places: Places) -> None:
    with suppress(ZeroDivisionError):
        async with session_at(places.sound, PacedSink()) as session:
            await speaking(session)
            raise ZeroDivisionError


async def crashed(places: Places) -> None:
    """An actor is told what can't be."""
    with suppress(KeyError):
        async with session_at(places.sound, PacedSink()) as session:
            await speaking(session)
            session._actors.context.inbox.send(mail.Generated("never announced", 0, "", "completed"))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no app can do that
            await anyio.sleep_forever()


async def unplugged(places: Places) -> None:
    sink = FaultySink(PacedSink())
    with suppress(SinkLost):
        async with session_at(places.sound, sink) as session:
            await speaking(session)
            sink.lose()
            await anyio.sleep_forever()


async def through_a_bad_network(places: Places, reconnect: Backoff | None = None) -> None:
    """It may break in the handshake, in the middle, at the end, or not at all."""
    with suppress(ConnectionFailed, SessionClosed, ReplyFailed), anyio.move_on_after(5):
        async with session_at(places.bad, deadlines=IMPATIENT, reconnect=reconnect) as session:
            for _ in range(3):
                await session.send_audio(bytes(9600))
                reply = await session.ask("Tell me.")
                await reply.done()


async def over_several_connections(places: Places) -> None:
    await through_a_bad_network(places, Backoff(first=0.02, give_up=1))


async def refused(places: Places) -> None:
    with suppress(ConnectionFailed):
        async with session_at(places.closed):
            pass


async def in_memory(_places: Places) -> None:
    server = MemoryServer(replies("One message."), voice=ToneVoice(40), timing=IMMEDIATE, keep=False)
    async with server, session_at(0, PacedSink(), connect=server.connect) as session:
        await speaking(session)
        await session.interrupt()
        await session.quiet()


LIVES: Sequence[Life] = (
    heard,
    interrupted,
    spoken_over,
    left_at_once,
    cancelled,
    failed,
    crashed,
    unplugged,
    through_a_bad_network,
    over_several_connections,
    refused,
    in_memory,
)

# -------------------------------------------------------------------------------------------------------- counting


class Sample(Struct, frozen=True):
    """What there is, while no session lives."""

    sessions: int
    """That lived before."""
    tasks: int
    fds: int
    sockets: int
    threads: int
    ours: int
    """Objects of our own types that the garbage collector knows."""
    objects: int
    """All of its objects."""
    blocks: int
    """Pieces of memory that Python has allocated."""
    rss: int
    """Bytes of memory that the process occupies."""
    server_rss: int
    """The same of the server's process."""


def count(sessions: int, server: int) -> Sample:
    gc.collect()
    objects = gc.get_objects()
    return Sample(
        **resources(),
        sessions=sessions,
        ours=sum(_is_ours(type(each).__module__) for each in objects),
        objects=len(objects),
        blocks=sys.getallocatedblocks(),
        rss=_rss(os.getpid()),
        server_rss=_rss(server),
    )


def resources() -> dict[str, int]:
    modes = [*_descriptors()]
    return {
        "tasks": len(anyio.get_running_tasks()),
        "fds": len(modes),
        "sockets": sum(map(stat.S_ISSOCK, modes)),
        "threads": threading.active_count(),
    }


def _descriptors() -> Iterator[int]:
    """The modes of those that are open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that listed them
            yield os.fstat(int(descriptor.name)).st_mode


def _is_ours(module: object) -> bool:  # a type may have a descriptor of that name
    return isinstance(module, str) and module.partition(".")[0] in {"rtactors", "statecharts"}


def _rss(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Slope(Struct, frozen=True):
    """How fast something grows, by linear regression over the second half of the samples."""

    per_session: float
    error: float
    """The standard error of it."""

    def __str__(self) -> str:
        return f"{self.per_session:+.1f} ± {self.error:.1f}"


def slope(samples: Sequence[Sample], what: str) -> Slope:
    half = samples[len(samples) // 2 :]
    x = [sample.sessions for sample in half]
    y = [getattr(sample, what) for sample in half]
    line = linear_regression(x, y)
    missed = sum((one - line.slope * at - line.intercept) ** 2 for at, one in zip(x, y, strict=True))
    spread = sum((at - fmean(x)) ** 2 for at in x)
    return Slope(line.slope, math.sqrt(missed / max(len(half) - 2, 1) / spread))


class Outcome(Struct, frozen=True):
    samples: list[Sample]
    """The first is what there was after warming up."""
    lives: dict[str, int]
    """How many sessions lived in which way."""
    chaos: dict[str, int]
    """What befell connections on the bad network."""

    @property
    def left_over(self) -> list[str]:
        """What was not as it was, ever, in a sentence each."""
        before = self.samples[0]
        return [
            f"after {now.sessions} sessions: {getattr(now, what)} {what}, {getattr(before, what)} before"
            for now in self.samples
            for what in EXACT
            if getattr(now, what) != getattr(before, what)
        ]


# ------------------------------------------------------------------------------------------------------- the soak


@contextmanager
def server() -> Generator[tuple[int, int]]:
    """A server process: its port, and its id."""
    command = [sys.executable, str(Path(__file__).with_name("soak_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        with process.stdin:
            yield int(process.stdout.readline()), process.pid


async def soak(  # noqa: PLR0913 - the server, how much of it, and whom to tell
    port: int,
    process: int,
    *,
    lives: Sequence[Life] = LIVES,
    sessions: int,
    at_once: int,
    batch: int = BATCH,
    warm_up: int = WARM_UP,
    watch: Callable[[Sample], None],
) -> Outcome:
    """Let so many live, after `warm_up` batches; `watch` is shown each sample as it is taken."""
    lived: Counter[str] = Counter()
    samples: list[Sample] = []
    chance = random.Random(1)
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind((HOST, 0))
        async with ChaosProxy(port, weather(1, within=30_000)) as proxy:
            places = Places(port, proxy.port, nobody.getsockname()[1])
            number = -warm_up * batch
            while number < sessions:
                chosen = [lives[index % len(lives)] for index in range(number, number + batch)]
                chance.shuffle(chosen)
                await _live(chosen, places, at_once)
                number += batch
                await _settle(proxy, samples[0] if samples else None)
                if number >= 0:
                    samples.append(count(number, process))
                    watch(samples[-1])
                    lived.update(life.__name__ for life in chosen if number)
            return Outcome(samples, dict(lived), dict(proxy.counts))


async def _live(lives: Sequence[Life], places: Places, at_once: int) -> None:
    limiter = anyio.CapacityLimiter(at_once)

    async def live(life: Life) -> None:
        async with limiter:
            with anyio.fail_after(60):
                await life(places)

    async with anyio.create_task_group() as tasks:
        for life in lives:
            tasks.start_soon(live, life)


async def _settle(proxy: ChaosProxy, before: Sample | None) -> None:
    """What is closed is gone a moment later; what hangs in a stalled network is cut."""
    hanging = [connection.closed for connection in proxy.connections]
    for connection in [*proxy.connections]:
        connection.cut("reset")
    for closed in hanging:
        await closed.wait()
    if before is None:
        await anyio.sleep(1)
        return
    until = anyio.current_time() + SETTLE_S
    while anyio.current_time() < until and not resources().items() <= asdict(before).items():  # noqa: ASYNC110 - nobody tells
        await anyio.sleep(0.02)


def show(sample: Sample) -> None:
    counts = "  ".join(f"{what} {getattr(sample, what)}" for what in EXACT)
    print(
        f"{sample.sessions:7} sessions  {counts}  blocks {sample.blocks}  rss {sample.rss / 2**20:.2f} MiB", flush=True
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--batch", type=int, default=BATCH, help="sessions between two counts")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="batches before the first count")
    parser.add_argument("--loop", choices=["asyncio", "uvloop", "trio"], default="asyncio")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the evidence")
    options = parser.parse_args()
    if options.sessions < 2 * options.batch:
        parser.error(f"--sessions: growth can't be told from fewer than two batches, {2 * options.batch}")

    asked = {name: getattr(options, name) for name in ("sessions", "at_once", "batch", "warm_up")}
    run = partial(soak, **asked, watch=show)
    begun = time.monotonic()
    with server() as (port, process):
        backend = "trio" if options.loop == "trio" else "asyncio"
        settings = {"use_uvloop": options.loop == "uvloop"} if backend == "asyncio" else {}
        outcome = anyio.run(run, port, process, backend=backend, backend_options=settings)
    took = time.monotonic() - begun

    slopes = {what: slope(outcome.samples, what) for what in ("rss", "blocks", "objects", "server_rss")}
    print(
        f"\n{sum(outcome.lives.values())} sessions in {took:.0f} s:",
        *(f"{n} {what}" for what, n in outcome.lives.items()),
    )
    print("on the bad network:", *(f"{n} x {what}" for what, n in outcome.chaos.items()))
    print("growth a session, in the second half:")
    for what, grows in slopes.items():
        print(f"  {what:11}{grows}")
    wrong = outcome.left_over
    if slopes["rss"].per_session - 2 * slopes["rss"].error > BYTES_A_SESSION:
        wrong.append(f"memory grows by {slopes['rss']} bytes a session, more than {BYTES_A_SESSION}")
    print(*(wrong or ["everything came back"]), sep="\n")

    if options.json:
        packages = {name: version(name) for name in ("anyio", "msgspec", "rtactors", "trio", "uvloop", "websockets")}
        evidence = {
            "benchmark": Path(__file__).stem,
            "unit": "what there is while no session lives; slopes a session",
            "python": platform.python_version(),
            "loop": options.loop,
            "system": platform.system(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "packages": packages,
            **asked,
            "seconds": round(took),
            "lives": outcome.lives,
            "chaos": outcome.chaos,
            "slopes": {what: asdict(grows) for what, grows in slopes.items()},
            "left_over": outcome.left_over,
            "wrong": wrong,
            "samples": [asdict(sample) for sample in outcome.samples],
        }
        options.json.write_text(json.dumps(evidence, indent=2) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
