"""What a session and its audio take: counted, so that it grows on purpose only. Whoever raises a bound says why."""

import gc
import json
import subprocess
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, TypeAlias

import anyio
import msgspec

from rtactors import Session
from rtactors.channels import Inbox
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.reminders import Reminders
from rtactors.sinks.base import Report, Started
from rtactors.testing.clock import run_virtual, settled
from rtactors.transports.base import Socket
from rtactors.transports.memory import MemorySocket, socket_pair
from tests.providers.openai_traces import trace

GREETING = [line.event for line in trace("barge_in_second_message") if line.dir == "s"]
ANNOUNCED = next(number for number, event in enumerate(GREETING) if event["type"] == "response.output_audio.delta")
import_module("numpy")  # else an aligner does, in the midst of counting
CONTAINERS = (dict, list, set, deque)

Things: TypeAlias = Counter[str]


class Swallows:
    """A sink that has played everything as it is written, and keeps nothing."""

    rate = 24_000
    _report: Callable[[Report], None]

    def begin(self, message_id: str) -> None:
        self._report(Started(message_id, anyio.current_time()))

    def write(self, message_id: str, pcm: bytes) -> None: ...
    def finish(self, message_id: str) -> None: ...
    def clear(self, message_id: str) -> None: ...
    def pause(self, message_id: str) -> None: ...
    def resume(self, message_id: str) -> None: ...

    async def run(self, report: Callable[[Report], None]) -> None:
        self._report = report
        await anyio.sleep_forever()


class Server:
    """Says what a test tells it to."""

    socket: MemorySocket

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        ours, self.socket = socket_pair(capacity=10_000)
        await self.say(GREETING[: ANNOUNCED + 1])
        yield ours

    async def say(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            await self.socket.send(msgspec.json.encode(event).decode())


def memory() -> Things:
    """How many pieces of memory Python has allocated, and how many objects the garbage collector looks at."""
    gc.collect()
    return Counter(blocks=sys.getallocatedblocks(), tracked=len(gc.get_objects()))


def objects() -> Things:
    """How many objects of our own types there are, and how many containers they hold."""
    gc.collect()
    own = [
        each for each in gc.get_objects() if str(type(each).__module__).partition(".")[0] in {"rtactors", "statecharts"}
    ]
    values = [value for each in own for value in gc.get_referents(each, *attributes(each))]
    dictionaries = {id(attribute) for each in own for attribute in attributes(each)}  # are none that we have made
    held = {id(value) for value in values if type(value) in CONTAINERS} - dictionaries
    return Counter(own=len(own), held=len(held))


def attributes(of: object) -> list[object]:
    return [vars(of)] if hasattr(of, "__dict__") else []


async def of_a_session(look: Callable[[], Things], count: int) -> dict[str, float]:
    """What each of so many sessions takes that wait while a message is announced; the first one came before."""
    async with AsyncExitStack() as stack:
        server = Server()

        async def open_one() -> None:
            await stack.enter_async_context(
                Session(OpenAIRealtime(api_key=""), sink=Swallows(), connect=server.connect)
            )
            await settled()

        await open_one()
        before = look()
        for _ in range(count):
            await open_one()
        after = look()
    return {what: (after[what] - before[what]) / count for what in after}


async def of_audio(look: Callable[[], Things], pieces: int) -> dict[str, float]:
    """What stays of each of so many pieces of 20 ms, while their message is heard; as many came before."""
    server = Server()
    async with Session(OpenAIRealtime(api_key=""), sink=Swallows(), connect=server.connect):
        looks = [look()]
        for _ in range(2):
            await server.say([GREETING[ANNOUNCED]] * pieces)
            await settled()
            looks.append(look())
        _, before, after = looks
    return {what: (after[what] - before[what]) / pieces for what in after}


def test_a_session_takes_few_pieces_of_memory() -> None:
    """With one message: some 915, of which 676 are for the garbage collector. A task alone is 24 of these."""
    took = run_virtual(of_a_session, memory, 20)
    assert 0 < took["blocks"] < 1050
    assert 0 < took["tracked"] < 760


def test_a_session_has_few_objects_and_containers() -> None:
    """81 of our types, most of them as small as a Life, an Inbox or a Reminder; and 99 containers. So whoever adds some
    to each session, or to each message, learns it here.
    """
    took = run_virtual(of_a_session, objects, 10)
    assert 0 < took["own"] <= 85
    assert 0 < took["held"] <= 103


def test_of_audio_that_was_heard_nothing_stays() -> None:
    took = run_virtual(of_audio, memory, 500)
    assert took["blocks"] < 0.1
    assert took["tracked"] < 0.1


def test_reminders_that_were_cancelled_are_not_kept_until_they_are_due() -> None:
    async def remind() -> int:
        reminders, inbox = Reminders(), Inbox[int]("anybody", 1)
        for number in range(1000):
            reminders.add(inbox, 60, number).cancel()
        return len(getattr(reminders, "_due"))  # noqa: B009 - private

    assert run_virtual(remind) <= 32


def test_an_import_loads_what_every_session_needs_and_nothing_else() -> None:
    """A loop, a client library, numpy, a recorder, a voice or a delegate come with the session that wants one; what the
    standard library takes long to load (mail, HTTP, TLS, XML, package metadata) comes with none.
    """
    program = (
        "import json, sys; before = {*sys.modules}; import rtactors; print(json.dumps([*{*sys.modules} - before]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    loaded: list[str] = json.loads(done.stdout)
    late = {
        *("asyncio", "trio", "uvloop", "websockets", "numpy", "sqlite3", "ssl", "ctypes", "email", "http", "xml"),
        *("importlib.metadata", "urllib.request", "tempfile", "zipfile"),
        *(
            f"rtactors.{room}"
            for room in ("cli", "delegation", "espeak", "loopback", "recording", "subtitles", "testing")
        ),
    }
    assert not late.intersection(loaded)
    assert "rtactors.session" in loaded
    assert len(loaded) < 250  # 205 on CPython 3.11, of which 90 are ours
