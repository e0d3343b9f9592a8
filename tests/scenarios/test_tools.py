"""D14 and D22 with functions that really run."""

from typing import Any

import anyio
import pytest

from rtactors import events
from rtactors.actors.context import CALL_CANCELLED
from rtactors.loopback.faults import ALWAYS, Faults, hold
from rtactors.loopback.script import Call, Gate, Reply, Say, replies
from rtactors.tools import tool
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD
from tests.scenarios.test_requests import SLOW_START, somebody_else

pytestmark = pytest.mark.anyio


class Till:
    """What was paid."""

    def __init__(self) -> None:
        self.paid: list[int] = []

    async def pay(self, amount: int) -> str:
        """Pay so much."""
        self.paid.append(amount)
        return f"paid {amount}"

    @property
    def tools(self) -> dict[str, Any]:
        return {"session": {"tools": [self.pay]}}


async def test_d14_tool_does_not_run_for_a_call_that_was_cut_off(begin: Begin) -> None:
    """Another one of the same response was complete: it runs, and the model speaks of it."""
    gate, till = Gate(), Till()
    script = replies(
        [FIRST, Call(name="pay", arguments='{"amount": 5}'), Call(name="pay", arguments='{"amount": 100}', gate=gate)],
        SECOND,
    )
    async with begin(script, **till.tools) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await talk.reaches("call", "answered")
        await gate.reached.wait()
        await talk.session.interrupt()
        talk.sink.play_all()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert till.paid == [5]
        outputs = [item.output for item in talk.items() if item.type == "function_call_output"]
        assert sorted(outputs) == sorted(["paid 5", CALL_CANCELLED])
        assert [message.heard_text for message in talk.said()][1:] == [SECOND]
        assert talk.held() == talk.heard()


async def test_d14_tool_that_is_interrupted_before_its_turn_does_not_run(begin: Begin) -> None:
    """Its response waits behind another one that is still being heard."""
    till = Till()
    script = replies(FIRST, [SECOND, Call(name="pay", arguments='{"amount": 5}')], THIRD)
    async with begin(script, **till.tools) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        await talk.generate_reply()
        await talk.log.wait("response.done", 2)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert till.paid == []
        assert [item.output for item in talk.items() if item.type == "function_call_output"] == [CALL_CANCELLED]
        assert talk.held() == talk.heard() == [(talk.said()[0].id, 300)]
        assert len(talk.sent("response.create")) == 2


async def test_d22_reply_to_a_tool_waits_for_the_response_that_called_it(begin: Begin) -> None:
    """The output is there long before the response is done."""
    gate, till = Gate(), Till()
    script = replies([Call(name="pay", arguments='{"amount": 5}'), FIRST, Say(text=SECOND, gate=gate)], THIRD)
    async with begin(script, **till.tools) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("conversation.item.create", 2)
        await gate.reached.wait()
        assert len(talk.sent("response.create")) == 1
        gate.open()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND, THIRD]
        assert talk.held() == talk.heard()
        assert not talk.log.find("error")


@pytest.mark.parametrize("refused", ["at once", "after the other was done"])
async def test_d22_reply_to_a_tool_meets_a_busy_server(begin: Begin, refused: str) -> None:
    """With a response that we don't know of: the request is refused, waits, and is sent again. The tool ran once."""
    gate, late, finish, runs = Gate(), Gate(), anyio.Event(), list[int]()

    @tool
    async def work() -> str:
        runs.append(1)
        await finish.wait()
        return "done"

    script = replies(Call(name="work"), Reply(outputs=(Say(text=FIRST, gate=gate),), timing=SLOW_START), SECOND)
    faults = Faults(hold("error", late, times=ALWAYS)) if refused != "at once" else Faults()
    async with begin(script, faults=faults, session={"tools": [work]}) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.reaches("call", "running")
        somebody_else(talk, events.CreateResponse("elsewhere-1"))
        await talk.log.wait("response.create", 2)
        finish.set()
        await talk.log.wait("response.create", 3)
        await gate.reached.wait()
        gate.open()
        await talk.log.wait("response.done", 2)
        late.open()
        await talk.log.wait("response.done", 3)
        await talk.session.quiet()
        assert runs == [1]
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND]
        assert talk.held() == talk.heard()
        outputs = [item.output for item in talk.items() if item.type == "function_call_output"]
        assert outputs == ["done"]


async def test_a_tool_of_one_reply_runs_also_when_that_is_over_before_the_turn_of_the_call(begin: Begin) -> None:
    """It waits behind another one that is still being heard, and a third one brings tools of its own."""
    till, other = Till(), Till()
    script = replies(FIRST, Call(name="pay", arguments='{"amount": 5}'), SECOND, THIRD)
    async with begin(script) as talk:
        await talk.ask()
        await talk.sink.play(100)
        calling = await talk.generate_reply(tools=[till.pay])
        await calling.done()
        await talk.generate_reply(tools=[tool(name="refund")(other.pay)])
        assert till.paid == []
        talk.sink.play_all()
        await talk.log.wait("response.done", 4)
        await talk.session.quiet()
        assert (till.paid, other.paid) == ([5], [])
        assert [item.output for item in talk.items() if item.type == "function_call_output"] == ["paid 5"]
