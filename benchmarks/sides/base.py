"""What is measured: a side is one framework (or none) that holds calls with our server, in a process of its own.

Every side is a script beside this file, run by the Python of its own environment, and ends with `run(name, open_call)`.
From then on it does what the lines of its standard input say, one JSON object each, and answers each with one line:

    {"do": "open", "calls": 100}     connect so many more calls
    {"do": "freeze"}                 tell the garbage collector that what there is now is there to stay (`gc.freeze`)
    {"do": "thresholds", "are": [700, 10, 10]}
                                     of `gc.set_threshold`
    {"do": "talk", "over_s": 2, "window_s": [0.5, 3]}
                                     in each: ask for a reply, wait until it was heard, or was interrupted and is over;
                                     not at once, but spread over 2 s; and watch the process from 0.5 s to 3 s after
                                     the last of them began to talk, with "ticks": true also how late it is; or, with
                                     "look_s": 1, say after 1 s how much memory it takes
    {"do": "memory"}                 what the process takes by now
    {"do": "close"}                  hang up in all of them

It imports nothing but the standard library, since it runs in every side's environment.
"""

import asyncio
import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeAlias

RATE = 24_000
"""Hz, of mono PCM16."""
TICK_S = 0.02
OVER_S = 150
"""A reply that is not over by then won't be."""
_USER = random.Random(1).randbytes(int(RATE * TICK_S) * 2)


class Player:
    """Where the sound of a call ends, the same for every side: heard at the pace of speech from when it is written.

    It is a device without latency, by the machine's monotonic clock, which the server shares. It costs a µs a write.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was before: a reply is to come."""
        self.written = 0
        """Frames, of this reply, that may be heard."""
        self.ghosts = 0
        """Frames that were written though it had been stopped."""
        self.first_ns: int | None = None
        """When the first frame was written."""
        self.last_ns: int | None = None
        """When the last one was."""
        self.stopped_ns: int | None = None
        self._since_ns = 0  # when the first frame left; later by what it starved

    def write(self, pcm: bytes) -> None:
        """Hear this behind what was written before."""
        now = self.last_ns = time.monotonic_ns()
        frames = len(pcm) // 2
        if self.stopped_ns is not None:
            self.ghosts += frames
            return
        if self.first_ns is None:
            self.first_ns = self._since_ns = now
        self._since_ns = max(self._since_ns, now - self.written * 1_000_000_000 // RATE)  # it had run dry
        self.written += frames

    def stop(self) -> int:
        """Drop what was not heard by now; the frames that were. A second time changes nothing."""
        if self.stopped_ns is None:
            self.written, self.stopped_ns = self.heard, time.monotonic_ns()
        return self.written

    @property
    def heard(self) -> int:
        """Frames."""
        if self.first_ns is None:
            return 0
        return min(self.written, (time.monotonic_ns() - self._since_ns) * RATE // 1_000_000_000)

    @property
    def left_s(self) -> float:
        """How long it takes until all of it was heard."""
        if self.first_ns is None:
            return 0
        return max(0, (self._since_ns - time.monotonic_ns()) / 1e9 + self.written / RATE)


class Call(Protocol):
    """One conversation of a side."""

    player: Player

    async def reply(self) -> None:
        """Ask for a reply; return once the side itself holds it for over: heard, or interrupted and settled."""
        ...


@asynccontextmanager
async def microphone(hear: Callable[[bytes], Awaitable[object]] | None) -> AsyncGenerator[None]:
    """The user's audio meanwhile, 20 ms of PCM16 at a time, if a side is to `hear` it."""
    listening = asyncio.create_task(_listen(hear)) if hear else None
    try:
        yield
    finally:
        if listening:
            listening.cancel()


async def _listen(hear: Callable[[bytes], Awaitable[object]]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await hear(_USER)
        due += TICK_S
        await asyncio.sleep(due - loop.time())


OpenCall: TypeAlias = Callable[[str], AbstractAsyncContextManager[Call]]
"""Connects to a server's URL (`ws://127.0.0.1:PORT/v1`), and hangs up at the end of the block."""


def run(open_call: OpenCall, *, versions: dict[str, str]) -> None:
    """Be a side: `python SIDE.py URL [asyncio|uvloop [OPTION ...]]`, with options of its own.

    `versions` are those of what is measured, by package.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever interrupts the run doesn't want to read where we were
    url, loop = sys.argv[1], (sys.argv[2:] or ["asyncio"])[0]
    if loop == "uvloop":
        try:
            import uvloop
        except ModuleNotFoundError:
            sys.exit(f"{sys.prefix} has no uvloop: `make bench` installs it (pip install uvloop; not for Windows)")
        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    else:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(open_call, url, versions))


async def _serve(open_call: OpenCall, url: str, versions: dict[str, str]) -> None:
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a framework prints is no answer of ours
    _answer(output, {"ready": True, "versions": versions, **memory()})
    calls: list[Call] = []
    async with AsyncExitStack() as stack:
        while line := await asyncio.to_thread(sys.stdin.readline):
            command = json.loads(line)
            match command.pop("do"):
                case "open":
                    began = time.process_time()
                    calls += [await stack.enter_async_context(open_call(url)) for _ in range(command["calls"])]
                    _answer(output, {"calls": len(calls), "cpu_s": time.process_time() - began})
                case "talk":
                    _answer(output, await _talk(calls, **command))
                case "freeze":
                    gc.collect()
                    gc.freeze()
                    _answer(output, {"frozen": gc.get_freeze_count()})
                case "thresholds":
                    gc.set_threshold(*command["are"])
                    _answer(output, {"are": gc.get_threshold()})
                case "memory":
                    _answer(output, memory())
                case "close":
                    await stack.aclose()
                    calls.clear()
                    _answer(output, {"calls": 0})
                case unknown:
                    raise ValueError(f"no side does {unknown!r}")


async def _talk(
    calls: list[Call],
    *,
    over_s: float = 0,
    window_s: tuple[float, float] | None = None,
    ticks: bool = False,
    look_s: float | None = None,
) -> dict[str, Any]:
    """The CPU time is this process's, all its threads."""
    heard: list[dict[str, Any]] = []
    for call in calls:
        call.player.begin()
    gc.collect()
    cpu, wall = time.process_time(), time.monotonic()
    watching = asyncio.create_task(_watch(calls, *window_s, ticks=ticks)) if window_s else None
    looking = asyncio.create_task(_look(look_s)) if look_s else None
    replies = [_reply(call, number, over_s * number / len(calls), heard) for number, call in enumerate(calls)]
    await asyncio.gather(*replies)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    heard.sort(key=lambda each: each["call"])
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "heard": heard,
        "window": await watching if watching else None,
        "memory": await looking if looking else None,
    }


async def _reply(call: Call, number: int, after_s: float, heard: list[dict[str, Any]]) -> None:
    player = call.player
    await asyncio.sleep(after_s)
    try:
        async with asyncio.timeout(OVER_S):
            await call.reply()
    except TimeoutError:
        state = "still being heard" if player.left_s else "heard as far as it came" if player.written else "not begun"
        raise RuntimeError(f"the reply of call {number} was not over after {OVER_S} s: it was {state}") from None
    what = {"call": number, "frames": player.written, "ghosts": player.ghosts}
    heard.append(what | {"first_ns": player.first_ns, "last_ns": player.last_ns, "stopped_ns": player.stopped_ns})


async def _watch(calls: list[Call], from_s: float, to_s: float, *, ticks: bool) -> dict[str, Any]:
    """What it takes while they talk; and, if so wanted, how late the loop lets run what is due every 20 ms."""
    while any(call.player.first_ns is None for call in calls):  # noqa: ASYNC110 - a player tells nobody
        await asyncio.sleep(TICK_S)
    await asyncio.sleep(from_s)
    due = time.monotonic()  # a loop's own clock may be as coarse as a ms
    end = due + to_s - from_s
    late: list[float] = []
    frames, cpu, wall = _written(calls), time.process_time(), time.monotonic()
    with _collections() as collections:
        while due < end:
            due = due + TICK_S if ticks else end
            await asyncio.sleep(due - time.monotonic())
            late.append(max(0.0, time.monotonic() - due) * 1000)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    written = _written(calls) - frames
    return {"cpu_s": cpu, "wall_s": wall, "frames": written, "late_ms": late, "collections": collections}


@contextmanager
def _collections() -> Generator[list[tuple[int, float]]]:
    """Of garbage: the generation of each, and how many ms it took."""
    found: list[tuple[int, float]] = []
    began = 0.0

    def note(phase: str, about: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            found.append((about["generation"], (time.perf_counter() - began) * 1000))

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


async def _look(after_s: float) -> dict[str, Any]:
    await asyncio.sleep(after_s)
    return memory()


def _written(calls: list[Call]) -> int:
    return sum(call.player.written for call in calls)


def memory() -> dict[str, Any]:
    """In bytes: resident, and of that what is this process's alone; how many pieces Python has allocated, and how many
    of these the garbage collector looks at; and how many ms it takes to look at them all and find nothing.
    """
    gc.collect()
    began = time.perf_counter()
    gc.collect()
    took = time.perf_counter() - began
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123 - nothing is to be imported for it
        sizes = {words[0]: int(words[1]) * 1024 for line in file if len(words := line.split()) == 3}
    return {
        "rss": sizes["Rss:"],
        "unique": sizes["Private_Clean:"] + sizes["Private_Dirty:"],
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "collect_ms": took * 1000,
    }


def _answer(output: Any, answer: dict[str, Any]) -> None:  # noqa: ANN401 - a text file
    output.write(json.dumps(answer) + "\n")
    output.flush()
