"""In whichever order tasks take their turns: text that came before a request is told before it."""

from collections import deque

import anyio
import pytest

from rtactors.delegation import Delegate, Work
from rtactors.loopback.quicksilver import Line
from rtactors.loopback.script import Call, replies
from rtactors.providers.base import Frame
from rtactors.session_events import (
    FunctionCalled,
    HandoffRequested,
    MessageText,
    SessionEvent,
    UserTranscript,
    UserWrote,
)
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import conversation
from rtactors.transports.base import Socket
from tests.delegation.alone import ByHand
from tests.delegation.lines import talk as quicksilver


class Burst:
    """A network that brings what has come in 50 ms all at once: nobody has a turn between two frames."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._frames: deque[Frame] = deque()
        self.send = socket.send
        self.close = socket.close

    async def receive(self) -> Frame:
        if not self._frames:
            self._frames.append(await self._socket.receive())
            with anyio.move_on_after(0.05):
                while True:
                    self._frames.append(await self._socket.receive())
        return self._frames.popleft()


backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
SEEDS = range(50)
TEXT = "One, two, three."


def lines_of(work: Work) -> list[str]:
    return [str(line) for line in work.transcript]


def told(events: list[SessionEvent]) -> list[str]:
    """Words, and requests, in the order in which anybody hears of them."""
    kinds = (MessageText, UserTranscript, UserWrote, FunctionCalled, HandoffRequested)
    return [getattr(event, "text", "") for event in events if isinstance(event, kinds)]


@backends
def test_text_and_calls(backend: BackendName) -> None:
    async def run() -> tuple[list[str], list[str]]:
        agent = ByHand()
        script = replies([TEXT, Call(name="background_agent", arguments='{"prompt": "go"}')])
        deputy = {"delegate": Delegate(agent)}
        async with conversation(script, session=deputy, network=Burst, round_trip=0.2) as talk:
            talk.sink.play_all()
            await talk.ask("Go!")
            work = await agent.work()
        return lines_of(work), told(talk.events)

    for seed in SEEDS:
        lines, events = run_virtual(run, backend=backend, seed=seed)
        assert lines == ["user: Go!", f"assistant: {TEXT}"], seed
        assert events[-1] == "", seed  # the call
        assert "".join(events) == "Go!" + TEXT, seed


@backends
def test_text_and_handoffs(backend: BackendName) -> None:
    async def script(line: Line) -> None:
        await line.user_says("Go", "!")
        await line.agent_goes_on(TEXT)
        await line.hand_off("Go!")

    async def run() -> tuple[list[str], list[str]]:
        agent = ByHand()
        async with quicksilver(script, delegate=Delegate(agent, grace=0), network=Burst) as talk:
            talk.sink.play_all()
            work = await agent.work()
        return lines_of(work), told(talk.events)

    for seed in SEEDS:
        lines, events = run_virtual(run, backend=backend, seed=seed)
        assert lines == ["user: Go!", f"assistant: {TEXT}"], seed
        assert sorted(events[:3]) == sorted(["Go", "!", TEXT]), seed
        assert events[3] == "Go!", seed
