"""What a side of this measure is: one framework (or none) that holds conversations, in a process of its own.

Every side is a module in `sides`, run by the Python of its own environment: `python -m benchmarks.faithfulness.sides.X`
from this project's root. It ends with `run(converse)`. Then it does what the lines of its standard input say, one JSON
object each, and answers with lines:

    {"do": "talk", "id": 7, "url": "ws://127.0.0.1:1234/v1", "steps": [["begin"], ["heard", 1, 900], ...]}
    {"do": "hang up", "id": 7}

Any number of conversations go on at a time. The first command lets a person have one: who speaks, waits for what they
hear, and speaks again; when they have no more to say it is answered with what was heard, and what the framework's own
history holds. The line is open until the second command, which is answered when it is closed. A person's steps are

    ["begin"]             let the app have the agent speak first
    ["speak"]             say something, 160 ms of it, and be silent for 340 ms, as long as the server waits
    ["heard", n, ms]      wait until so much was heard of the n-th message that began since they last spoke
    ["quiet"]             wait until something was heard since they last spoke, and nothing more is for 600 ms
    ["pause", s]
    ["ask"]               let the app ask for another reply, with words of the user's
    ["note"]              let the app put a message into the conversation, without asking for a reply
    ["aside"]             let the app ask for a response outside of the conversation, in text
    ["follow up"]         speak, until there is an answer; a second time after 3 s. What comes of it is `answered`.

It imports nothing but the standard library, since it runs in every side's environment.
"""

import asyncio
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypedDict

from benchmarks.faithfulness.device import Device

RATE = 24_000
"""Hz, of mono PCM16, both ways."""
FRAME_S = 0.02
VOICE = b"".join(
    round(9000 * math.sin(2 * math.pi * 200 * frame / RATE)).to_bytes(2, "little", signed=True) for frame in range(480)
)
"""20 ms of somebody."""
SILENCE = bytes(len(VOICE))
VOICED, SILENT = 8, 17
"""Frames."""
SILENCE_MS = 200
"""What the server's voice detection is set to, by every side."""
TRANSCRIBER = "gpt-4o-mini-transcribe"
"""Which model writes down what the user says, for every side."""
TOOL, TOOL_DESCRIPTION, TOOL_ANSWER = "look_up", "Look up a fact.", "It is seven."
"""The function of every app: `look_up(query: str) -> str`."""
GREETING = "Hello."
"""What the user has said if the app can have the agent speak in no other way."""
NOTE = "The user has opened the settings."
QUESTION = "And one more thing."
ASIDE = "Sum up the conversation in one word."
PATIENCE_S = 5.0
"""How long a person waits to hear something."""
QUIET_S = 0.6
"""How long nothing is heard when it is quiet."""
TRIES = 2
"""How often somebody speaks who gets no answer."""
ANSWERED_MS = 500
"""As much of an answer as is enough to be one."""
ANSWER_S = 3.0
"""How long an answer may take until so much was heard."""


class Entry(TypedDict):
    """One entry of a framework's own history, as an app would read it."""

    id: str
    """The server's name for it; "" if the framework doesn't tell."""
    kind: str
    """`message`, `call` or `output`."""
    role: str
    text: str
    """Words; of a call its arguments, of an output what was given."""
    call_id: str


def message(text: str, role: str, id: str = "") -> Entry:
    return Entry(id=id, kind="message", role=role, text=text, call_id="")


class Conversation(Protocol):
    """One conversation of a side, as an app has it."""

    async def hear(self, pcm: bytes) -> None:
        """20 ms of the user's microphone."""
        ...

    async def begin(self) -> None: ...

    async def ask(self) -> None: ...

    async def note(self) -> None: ...

    async def aside(self) -> None: ...

    def history(self) -> list[Entry]:
        """What was said by now."""
        ...


class Tool:
    """The app's function."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        """What it was called with."""

    def look_up(self, query: str) -> str:
        self.queries.append(query)
        return TOOL_ANSWER


Converse: TypeAlias = Callable[[str, Device, Tool], AbstractAsyncContextManager[Conversation]]
"""Connects to a server's URL (`ws://127.0.0.1:PORT/v1`), and hangs up at the end of the block."""


class Person:
    """Who talks to the agent. They know only what they hear."""

    def __init__(self, conversation: Conversation, device: Device) -> None:
        self.answered = False
        self._conversation = conversation
        self._device = device
        self._known: set[int] = set()  # the messages that had begun when they last spoke

    async def follow(self, steps: list[list[Any]]) -> None:  # noqa: C901 - a line or two for each thing they can do
        for name, *arguments in steps:
            match name:
                case "begin":
                    await self._conversation.begin()
                case "speak":
                    await self._speak()
                case "heard":
                    await self._until_heard(*arguments)
                case "quiet":
                    await self._until_quiet()
                case "pause":
                    await asyncio.sleep(*arguments)
                case "ask":
                    await self._conversation.ask()
                case "note":
                    await self._conversation.note()
                case "aside":
                    await self._conversation.aside()
                case "follow up":
                    await self._follow_up()
                case _:
                    raise ValueError(f"nobody can {name!r}")

    async def _speak(self) -> None:
        self._known = {*self._device.heard()}
        due = time.monotonic()
        for frame in [VOICE] * VOICED + [SILENCE] * SILENT:
            await self._conversation.hear(frame)
            due += FRAME_S
            await asyncio.sleep(max(0, due - time.monotonic()))

    def _new(self) -> list[int]:
        """Frames heard of each message that began since they last spoke."""
        return [frames for mark, frames in self._device.heard().items() if mark not in self._known]

    async def _until_heard(self, number: int, ms: float, patience_s: float = PATIENCE_S) -> bool:
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            new = self._new()
            if len(new) >= number and new[number - 1] >= ms * RATE // 1000:
                return True
            await asyncio.sleep(0.005)
        return False

    async def _until_quiet(self) -> None:
        await self._until_heard(1, 1)
        played, since = self._device.played, time.monotonic()
        while time.monotonic() < since + QUIET_S:
            await asyncio.sleep(0.02)
            if self._device.played != played:
                played, since = self._device.played, time.monotonic()

    async def _follow_up(self) -> None:
        for _ in range(TRIES):
            await self._speak()
            if await self._until_heard(1, ANSWERED_MS, ANSWER_S):
                self.answered = True
                break
        await self._until_quiet()


class Clock:
    """How late the loop lets something run that is due every 20 ms: by so much, what was measured may be off."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + FRAME_S, loop.time())
            await asyncio.sleep(due - loop.time())
            self.late_ms.append((loop.time() - due) * 1000)


def run(converse: Converse, *, versions: dict[str, str]) -> None:
    """Be a side. `versions` are those of what is measured, by package."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever interrupts the run doesn't want to read where we were
    asyncio.run(_serve(converse, versions))


async def _serve(converse: Converse, versions: dict[str, str]) -> None:
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a framework prints is no answer of ours

    def answer(**fields: Any) -> None:  # noqa: ANN401 - any JSON
        output.write(json.dumps(fields) + "\n")
        output.flush()

    answer(versions=versions)
    clock = Clock()
    ticking = asyncio.create_task(clock.run())
    lines: dict[int, asyncio.Event] = {}
    talks: set[asyncio.Task[None]] = set()
    commands: asyncio.Queue[str] = asyncio.Queue()
    reading = threading.Thread(target=_read, args=(asyncio.get_running_loop(), commands), daemon=True)
    reading.start()  # a thread of its own: frameworks may keep those of the loop busy
    while line := await commands.get():
        match json.loads(line):
            case {"do": "talk", "id": id, "url": url, "steps": steps}:
                lines[id] = asyncio.Event()
                talks.add(asyncio.create_task(_talk(converse, answer, clock, lines[id], id, url, steps)))
            case {"do": "hang up", "id": id}:
                lines.pop(id).set()
            case unknown:
                raise ValueError(f"no side does {unknown!r}")
    ticking.cancel()
    if talks:
        await asyncio.wait(talks, timeout=5)
    os._exit(0)  # a framework that hangs is not waited for


def _read(loop: asyncio.AbstractEventLoop, commands: "asyncio.Queue[str]") -> None:
    while line := sys.stdin.readline():
        loop.call_soon_threadsafe(commands.put_nowait, line)
    loop.call_soon_threadsafe(commands.put_nowait, "")


async def _talk(  # noqa: PLR0913, PLR0917 - the first three are everybody's
    converse: Converse,
    answer: Callable[..., None],
    clock: "Clock",
    hung_up: asyncio.Event,
    id: int,
    url: str,
    steps: list[list[Any]],
) -> None:
    device, tool = Device(), Tool()
    history: list[Entry] = []
    answered, problem = False, ""
    told = False
    began = len(clock.late_ms)

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            answer(
                id=id,
                heard=device.runs,
                history=history,
                answered=answered,
                queries=tool.queries,
                problem=problem,
                late_ms=round(max(clock.late_ms[began:], default=0.0), 1),
            )

    try:
        async with converse(url, device, tool) as conversation:
            person = Person(conversation, device)
            try:
                await person.follow(steps)
            except Exception as error:  # noqa: BLE001 - whatever a framework raises here, its app would get
                problem = _first_line(error)
            answered, history = person.answered, conversation.history()
            tell()
            await hung_up.wait()
    except Exception as error:  # noqa: BLE001 - the same
        problem = problem or _first_line(error)
        traceback.print_exc()
    tell()
    await hung_up.wait()
    answer(id=id)


def _first_line(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _first_line(error.exceptions[0])  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return f"{type(error).__name__}: {error}".splitlines()[0]
