"""Everything that can happen, at any moment, in any order of turns: and always the invariants hold.

In virtual time. Each case is made from its number, so that what was found can be repeated:

    pytest tests/scenarios/test_sweep.py -k chance --cases 17:18
"""

import math
import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import anyio
import pytest
from msgspec import Struct

from rtactors import ReplyFailed, SessionClosed
from rtactors.loopback.faults import ALWAYS, Faults, Rule, delay, drop, duplicate
from rtactors.loopback.script import Call, Failed, Incomplete, Line, Reply, Say, Script, Timing, Write
from rtactors.providers.base import Frame
from rtactors.session_events import FunctionCalled
from rtactors.sinks import PacedSink
from rtactors.sinks.segment import Segment
from rtactors.testing.clock import BackendName, run_virtual
from rtactors.testing.conversation import AT_ONCE, Conversation, conversation
from rtactors.testing.invariants import InvariantBroken
from rtactors.transports.base import Socket

ONE, TWO, THREE = "The first message of three.", "The second message, a bit longer than that.", "And the third."
START_MS = 130
"""From the question to the first audio, at the default timing."""
LENGTHS_MS = [len(text) * 60 for text in (ONE, TWO, THREE)]
BOUNDARIES_MS = [START_MS + sum(LENGTHS_MS[:count]) for count in range(4)]
TIMING = Timing(delta_ms=100)
SLOW = Timing(delta_ms=100, speed=0.7, between_ms=900, created_ms=300)
"""Slower than it is spoken: the device runs dry."""


class DeepSink(PacedSink):
    """Has taken `tail_ms` already when it is told to stop, and plays them all the same."""

    def __init__(self, tail_ms: int) -> None:
        super().__init__(progress_ms=10)
        self._tail = tail_ms * self.rate // 1000

    def _halt(self, segment: Segment) -> int:
        self._catch_up(segment)
        if segment.heard == segment.written or self._since is None:
            return super()._halt(segment)
        return min(segment.written, segment.heard + self._tail)

    def _advance(self, segment: Segment, heard: int, since: float, until: float, *, confirmed: bool = True) -> None:
        super()._advance(segment, heard, since, until, confirmed=confirmed)
        if segment.over:
            self._since = None  # the tail has come to its end


class Lagging:
    """A network that takes its time with each frame on its way out."""

    def __init__(self, socket: Socket, seconds: float) -> None:
        self._socket = socket
        self._seconds = seconds

    async def send(self, frame: Frame) -> None:
        await anyio.sleep(self._seconds)
        await self._socket.send(frame)

    async def receive(self) -> Frame:
        return await self._socket.receive()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)


Scene: TypeAlias = Callable[[Conversation, float, random.Random], Awaitable[None]]
"""What happens from the question on, with a moment in it, in seconds."""


async def _speak(talk: Conversation, at: float, _chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.speak()


async def _interrupt(talk: Conversation, at: float, _chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.session.interrupt()


async def _speak_twice(talk: Conversation, at: float, chance: random.Random) -> None:
    """And the server answers in between."""
    await talk.ask()
    await anyio.sleep(at)
    await talk.speak()
    await anyio.sleep(chance.random())
    await talk.fall_silent()
    await anyio.sleep(chance.random() * 3)
    await talk.speak()


async def _interrupt_twice(talk: Conversation, at: float, chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.session.interrupt()
    await anyio.sleep(chance.choice([0, 0.005, 0.05, 0.5]))
    await talk.session.interrupt()
    await talk.speak()


async def _ask_more(talk: Conversation, at: float, chance: random.Random) -> None:
    """Several questions at once: one is given up, then the user speaks."""
    await talk.ask()
    more = [await talk.ask("And this?") for _ in range(2)]
    await anyio.sleep(at)
    await talk.session.interrupt(chance.choice(more))
    await anyio.sleep(chance.random())
    await talk.speak()
    await talk.fall_silent()


async def _pause(talk: Conversation, at: float, chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.session.pause()
    await anyio.sleep(chance.choice([0, 0.01, 0.7, 4]))
    await talk.session.resume()
    await anyio.sleep(chance.random() * 3)
    await talk.session.interrupt()


async def _change_history(talk: Conversation, at: float, chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    if chance.random() < 0.5:
        await talk.speak()
    if chance.random() < 0.5:
        await anyio.sleep(chance.random() / 10)
    items = talk.session.history
    kept = [item for item in items if chance.random() < 0.7]
    talk.removed.update(item.id for item in items if item not in kept)
    await talk.session.set_history(kept)
    await talk.session.add("Mind the gap.", role="system", after=chance.choice([None, "", *(item.id for item in kept)]))


async def _leave(talk: Conversation, at: float, _chance: random.Random) -> None:
    """The app has had enough."""
    await talk.ask()
    await anyio.sleep(at)


async def _hang_up(talk: Conversation, at: float, _chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.wire.close(1001, "Your session hit the maximum duration of 60 minutes.")
    await anyio.sleep_forever()


async def _hang_up_and_interrupt(talk: Conversation, at: float, chance: random.Random) -> None:
    await talk.ask()
    await anyio.sleep(at)
    await talk.wire.close(1011, "keepalive")
    await anyio.sleep(chance.random())
    await talk.session.interrupt()
    await anyio.sleep_forever()


async def _listen(talk: Conversation, _at: float, _chance: random.Random) -> None:
    """To the end."""
    reply = await talk.ask()
    try:
        await reply.done()
    except ReplyFailed:
        assert reply.status == "failed"


async def _run_functions(talk: Conversation, at: float, chance: random.Random) -> None:
    """As apps do: answer each call, then ask for a reply."""
    await talk.ask()

    async def answer() -> None:
        seen = 0
        while True:
            seen += 1
            call = await talk.tells(FunctionCalled, seen)
            await anyio.sleep(chance.choice([0, 0.5]))
            await talk.session.answer_call(call.call_id, "42")
            await talk.generate_reply()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        await anyio.sleep(at)
        await talk.speak()
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()


async def _talk_long(talk: Conversation, at: float, chance: random.Random) -> None:
    """Six turns, in which anything may happen."""
    for _ in range(6):
        if chance.random() < 0.5:
            await talk.ask()
        else:
            await talk.speak()
            await talk.fall_silent()
        await anyio.sleep(chance.choice([0, at, chance.random() * 4]))
        match chance.randrange(5):
            case 0:
                await talk.session.interrupt()
            case 1:
                await talk.session.pause()
                await anyio.sleep(chance.random())
                await talk.session.resume()
            case 2:
                await talk.speak()
                await talk.fall_silent()
            case _:
                pass


HANG_UPS = (_hang_up, _hang_up_and_interrupt)
SCENES: tuple[Scene, ...] = (
    _speak,
    _interrupt,
    _speak_twice,
    _interrupt_twice,
    _ask_more,
    _pause,
    _change_history,
    _leave,
    _listen,
    _run_functions,
    _talk_long,
    *HANG_UPS,
)


class Case(Struct, frozen=True, kw_only=True):
    """One conversation."""

    scene: Scene
    at: float
    outputs: tuple[Line, ...] = (ONE, TWO, THREE)
    timing: Timing = TIMING
    tail_ms: int = 0
    lag: float = 0
    ending: Failed | Incomplete | None = None
    batch_done: bool = False
    detection: dict[str, Any] | None = {}
    rules: tuple[Rule, ...] = ()
    seed: int | None = None

    @property
    def script(self) -> Script:
        said = tuple(Say(text=line) if isinstance(line, str) else line for line in self.outputs)
        reply = Reply(outputs=said, ending=self.ending, batch_done=self.batch_done)
        return lambda turn: reply if turn.index < 2 else Reply(outputs=(Say(text="That is all."),))


async def converse(case: Case, number: int) -> Conversation:
    """Have it, judge it, and give what is left of it."""
    raises = (SessionClosed,) if case.scene in HANG_UPS else ()
    detection = (
        {"turn_detection": {"type": "server_vad", **case.detection}}
        if case.detection is not None
        else {"turn_detection": None}
    )
    provider = {"extra_session": {"audio": {"input": detection}}}
    sink = DeepSink(case.tail_ms) if case.tail_ms else PacedSink()
    async with conversation(
        case.script,
        sink=sink,
        reconnect=None if raises else AT_ONCE,
        raises=raises,
        provider=provider,
        network=partial(Lagging, seconds=case.lag) if case.lag else lambda socket: socket,
        round_trip=0.05 + 20 * case.lag,
        timing=case.timing,
        faults=Faults(*case.rules),
    ) as talk:
        await case.scene(talk, case.at, random.Random(number))
        if case.scene is not _leave:
            await talk.session.quiet()
            await anyio.sleep(1)  # what comes late comes now
            await talk.session.quiet()
    return talk


def play(cases: Iterable[tuple[int, Case]], backend: BackendName) -> None:
    """All of them; tells which went wrong."""
    wrong: list[str] = []
    count = 0
    for number, case in cases:
        count += 1
        try:
            run_virtual(converse, case, number, backend=backend, seed=case.seed)
        except (InvariantBroken, Exception) as error:  # noqa: BLE001 - whatever it is, the others are to run
            wrong.append(f"case {number}: {case}\n    {type(error).__name__}: {error}")
    assert count
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong[:5])


backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@backends
@pytest.mark.parametrize("scene", [_speak, _interrupt, _leave, _hang_up], ids=lambda scene: scene.__name__[1:])
def test_at_every_moment(scene: Scene, backend: BackendName) -> None:
    """Each tenth of a second of a three-message response, and exactly where one message ends and the next begins."""
    exact = [ms / 1000 + by for ms in BOUNDARIES_MS for by in (-0.001, 0, 0.001)]
    moments = sorted([*(tenth / 10 for tenth in range(56)), *exact])
    play(((number, Case(scene=scene, at=at, seed=number)) for number, at in enumerate(moments)), backend)


LOSSES = (
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
)
LATE_OR_TWICE = (
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "response.output_item.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.done",
    "error",
)


def by_chance(number: int) -> Case:
    chance = random.Random(number)
    scene = chance.choice(SCENES)
    outputs: list[Line] = [
        Say(text=text, transcript=chance.choice(["ahead", "ahead", "aligned", "late"])) for text in (ONE, TWO, THREE)
    ]
    for _ in range(chance.choice([0, 0, 1, 2])):
        extra: Line = chance.choice([Call(name="look_up"), Write(text="A table."), Say(text="Hush.", silent=True)])
        outputs.insert(chance.randrange(4), extra)
    rules: list[Rule] = []
    for _ in range(chance.choice([0, 0, 1, 3])):
        # Late news of where an item stands is wrong by then if something was put behind its predecessor meanwhile.
        on = chance.choice(LATE_OR_TWICE[scene is _run_functions :])
        nth, times = chance.randrange(1, 5), chance.choice([1, ALWAYS])
        rules.append(
            chance.choice(
                [
                    delay(on, ms=chance.choice([1, 40, 600]), nth=nth, times=times),
                    duplicate(on, nth=nth),
                    drop(chance.choice(LOSSES), nth=nth),
                ]
            )
        )
    ends = [Failed(after_ms=chance.randrange(5000)), Incomplete(after_ms=chance.randrange(5000))]
    return Case(
        scene=scene,
        at=chance.choice([0, chance.random() / 5, chance.random() * 6, chance.choice(BOUNDARIES_MS) / 1000]),
        outputs=tuple(outputs),
        timing=chance.choice([TIMING, TIMING, SLOW, Timing(delta_ms=100, speed=math.inf)]),
        tail_ms=chance.choice([0, 0, 150]),
        lag=chance.choice([0, 0, 0, 0.002, 0.1]),
        ending=chance.choice([None, None, None, *ends]),
        batch_done=chance.random() < 0.2,
        detection=chance.choice([{}, {}, {"interrupt_response": False}, {"create_response": False}]),
        rules=tuple(rules),
        seed=number,
    )


@backends
def test_by_chance(backend: BackendName, cases: range) -> None:
    play(((number, by_chance(number)) for number in cases), backend)
