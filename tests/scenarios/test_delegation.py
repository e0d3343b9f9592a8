"""E7 and E8: a speech model that hands work to a text agent, by function calls (V2)."""

import anyio
import pytest
from msgspec import json

from rtactors.delegation import Delegate, Request, Work
from rtactors.delegation.telling import STEERED
from rtactors.loopback.script import Call, Gate, replies
from rtactors.testing.conversation import Conversation
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio


def delegate(prompt: str, gate: Gate | None = None) -> Call:
    return Call(name="background_agent", arguments=json.encode({"prompt": prompt}).decode(), gate=gate)


def outputs(talk: Conversation) -> list[str]:
    """What the server holds of the outputs of calls, in order."""
    return [item.output for item in talk.items() if item.type == "function_call_output"]


class ByHand:
    """An agent that does what the test says."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.begun = anyio.Event()
        self.finish = anyio.Event()
        self.answer = "Done."
        self.stopped = False

    async def __call__(self, work: Work) -> str:
        self.works.append(work)
        self.begun.set()
        try:
            await self.finish.wait()
        except BaseException:
            self.stopped = True
            raise
        return self.answer


async def test_work_is_handed_over_and_its_answer_spoken(begin: Begin) -> None:
    async def agent(work: Work) -> str:
        await work.progress("reading code")
        return f"fixed: {work.input}"

    script = replies(["On it.", delegate("fix the bug")], "It is fixed.")
    async with begin(script, session={"delegate": Delegate(agent)}) as talk:
        talk.sink.play_all()
        await talk.ask("Please fix the bug.")
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert outputs(talk) == ["fixed: fix the bug"]
        assert [item.text for item in talk.items("user")] == ["Please fix the bug.", "[BACKEND] reading code"]
        assert [message.heard_text for message in talk.said()] == ["On it.", "It is fixed."]
        tools = talk.sent("session.update")[0]["session"]["tools"]
        assert [tool["name"] for tool in tools] == ["background_agent", "remain_silent"]


async def test_e8_second_delegation_steers_the_first(begin: Begin) -> None:
    """It is acknowledged at once, and there is one final answer, to the first."""
    agent = ByHand()
    script = replies([delegate("fix the bug")], [delegate("also add a test")], "I will.", "Both are done.")
    async with begin(script, session={"delegate": Delegate(agent)}) as talk:
        talk.sink.play_all()
        await talk.ask("Fix the bug.")
        await agent.begun.wait()
        await talk.ask("And add a test.")
        await talk.log.wait("response.done", 3)
        (work,) = agent.works
        assert outputs(talk) == [STEERED]
        steering = work.next_steering()
        assert isinstance(steering, Request)
        assert steering.input == "also add a test"
        assert [str(line) for line in steering.transcript] == ["user: And add a test."]
        agent.finish.set()
        await talk.log.wait("response.done", 4)
        await talk.session.quiet()
        first, second = [item.call_id for item in talk.items() if item.type == "function_call"]
        assert {item.call_id: item.output for item in talk.items() if item.type == "function_call_output"} == {
            first: "Done.",
            second: STEERED,
        }
        assert [message.heard_text for message in talk.said()] == ["I will.", "Both are done."]
        assert not talk.log.find("error")
