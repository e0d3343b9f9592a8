"""In whichever order tasks take their turns: text that came before a request is told before it."""

import pytest

from rtactors.delegation import Delegate, Work
from rtactors.loopback.quicksilver import Line
from rtactors.loopback.script import Call, replies
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import conversation
from tests.delegation.alone import ByHand
from tests.delegation.lines import talk as quicksilver

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
SEEDS = range(50)
TEXT = "One, two, three."


def lines_of(work: Work) -> list[str]:
    return [str(line) for line in work.transcript]


@backends
def test_text_and_calls(backend: BackendName) -> None:
    async def run() -> list[str]:
        agent = ByHand()
        script = replies([TEXT, Call(name="background_agent", arguments='{"prompt": "go"}')])
        async with conversation(script, session={"delegate": Delegate(agent)}) as talk:
            talk.sink.play_all()
            await talk.ask("Go!")
            return lines_of(await agent.work())

    for seed in SEEDS:
        assert run_virtual(run, backend=backend, seed=seed) == ["user: Go!", f"assistant: {TEXT}"], seed


@backends
def test_text_and_handoffs(backend: BackendName) -> None:
    async def script(line: Line) -> None:
        await line.user_says("Go", "!")
        await line.agent_goes_on(TEXT)
        await line.hand_off("Go!")

    async def run() -> list[str]:
        agent = ByHand()
        async with quicksilver(script, delegate=Delegate(agent, grace=0)) as talk:
            talk.sink.play_all()
            return lines_of(await agent.work())

    for seed in SEEDS:
        assert run_virtual(run, backend=backend, seed=seed) == ["user: Go!", f"assistant: {TEXT}"], seed
