"""E7 and E8: a speech model that hands work to a text agent, by function calls (V2) and by handoffs (V1)."""

from functools import partial

import anyio
import pytest
from msgspec import json

from rtactors import Session, SessionClosed
from rtactors.delegation import Delegate, Request, Work
from rtactors.delegation.telling import FINAL, STEERED, STOPPED
from rtactors.journal import MemoryJournal
from rtactors.loopback.faults import ALWAYS, Faults, refuse
from rtactors.loopback.quicksilver import Line
from rtactors.loopback.script import Call, Gate, Reply, Say, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import (
    AgentSaid,
    FunctionCalled,
    HandoffRequested,
    MessageText,
    Problem,
    Transition,
    UserSaid,
    UserTranscript,
    UserWrote,
)
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import Conversation, conversation
from tests.delegation.alone import ByHand
from tests.delegation.conftest import BeginV1
from tests.delegation.lines import talk as quicksilver
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", pytest.param("sockets", marks=pytest.mark.sockets)])
def begin_v1(request: pytest.FixtureRequest) -> BeginV1:
    """The same with a quicksilver server."""
    return partial(quicksilver, sockets=request.param == "sockets")


ENDED = "the conversation ended"


def with_agent(agent: Delegate) -> dict[str, Delegate]:
    """As an argument of a conversation."""
    return {"delegate": agent}


def delegate(prompt: str, gate: Gate | None = None) -> Call:
    return Call(name="background_agent", arguments=json.encode({"prompt": prompt}).decode(), gate=gate)


def outputs(talk: Conversation) -> dict[str, str]:
    """What the server holds of the outputs of calls, by what was asked, in order."""
    asked = {item.call_id: item.arguments for item in talk.items() if item.type == "function_call"}
    return {
        json.decode(asked[item.call_id] or "{}").get("prompt", ""): item.output
        for item in talk.items()
        if item.type == "function_call_output"
    }


def lines_of(request: Request | Work) -> list[str]:
    return [str(line) for line in request.transcript]


async def asked(agent: ByHand, count: int = 1) -> Work:
    """Until the agent was given so many works."""
    return await agent.work(count)


async def steered(work: Work) -> Request:
    async for request in work.steering():
        return request
    raise AssertionError("the work was over")


# -------------------------------------------------------------------------------------------- E7: words that trail


async def trailing(line: Line, *, gate: Gate | None = None) -> None:
    """The words of both go on behind the handoff."""
    await line.user_says("please run the tests")
    item = await line.agent_begins()
    await line.agent_goes_on("On it")
    await line.hand_off("please run the tests", "h1")
    if gate:
        await gate.passed()
    await line.user_says(" on main")
    await line.agent_goes_on(", one sec.")
    await line.agent_ends(item)


async def test_e7_words_that_trail_a_handoff_belong_to_it(begin_v1: BeginV1) -> None:
    agent = ByHand()

    async def script(line: Line) -> None:
        await trailing(line)
        await line.appended()
        await line.hand_off("thanks", "h2")

    async with begin_v1(script, delegate=Delegate(agent)) as talk:
        talk.sink.play_all()
        work = await asked(agent)
        assert work.input == "please run the tests"
        assert lines_of(work) == ["user: please run the tests on main", "assistant: On it, one sec."]
        agent.returns("All passed.")
        second = await asked(agent, 2)  # all that was said was delivered, and is not again
        assert (second.input, lines_of(second)) == ("thanks", [])
        assert talk.appended == [FINAL + "All passed."]


async def test_e7_without_grace_they_go_with_the_next(begin_v1: BeginV1) -> None:
    agent, gate = ByHand(), Gate()

    async def script(line: Line) -> None:
        await trailing(line, gate=gate)
        await line.turn_marked("Please run the tests on main.")
        await line.hand_off("and the linters", "h2")

    async with begin_v1(script, delegate=Delegate(agent, grace=0)) as talk:
        talk.sink.play_all()
        work = await asked(agent)
        assert lines_of(work) == ["user: please run the tests", "assistant: On it"]
        gate.open()
        more = await steered(work)
        assert (more.input, lines_of(more)) == ("and the linters", ["user: on main.", "assistant: one sec."])


async def test_e7_nothing_waits_for_the_grace(begin_v1: BeginV1) -> None:
    """While words are collected, others are heard and told; the agent has it after the time, once."""
    agent = ByHand()

    async def script(line: Line) -> None:
        await line.hand_off("go", "h1")
        await line.hand_off("go", "h1")  # again
        await line.agent_says("One moment.")
        await line.user_says("Please")
        await line.turn_marked("Please.")

    async with begin_v1(script, delegate=Delegate(agent, grace=0.5)) as talk:
        talk.sink.play_all()
        await talk.tells(HandoffRequested)
        begun = anyio.current_time()
        await talk.tells(AgentSaid)
        await talk.tells(UserSaid)
        assert agent.works == []
        if talk.virtual:
            assert anyio.current_time() == begun
        work = await asked(agent)
        if talk.virtual:
            assert 0.5 <= anyio.current_time() - begun < 0.51
        assert lines_of(work) == ["assistant: One moment.", "user: Please."]
        agent.returns("Done.")
        await talk.line.log.wait("conversation.handoff.append")
    assert len(agent.works) == 1
    routed = [event for event in talk.events if isinstance(event, Transition) and event.chart == "delegation"]
    assert [(event.before, event.after) for event in routed] == [("collecting", "working"), ("working", "finished")]


async def test_e7_the_next_request_ends_the_grace(begin_v1: BeginV1) -> None:
    agent = ByHand()

    async def script(line: Line) -> None:
        await line.user_says("run the tests")
        await line.hand_off("run the tests", "h1")
        await line.turn_marked("Run the tests.")
        await line.user_says("and the linters")
        await line.hand_off("and the linters", "h2")
        await line.user_says(" too")

    async with begin_v1(script, delegate=Delegate(agent, grace=0.3)) as talk:
        talk.sink.play_all()
        more = await steered(await asked(agent))
        (work,) = agent.works
        assert work.input == "run the tests"
        assert lines_of(work)[0] == "user: Run the tests."
        words = " ".join([*lines_of(work)[1:], *lines_of(more)]).replace("user: ", "")
        assert words == "and the linters too"
        agent.returns("Both passed.")
        await talk.line.log.wait("conversation.handoff.append")
        (append,) = talk.line.log.find("conversation.handoff.append")
        assert append.json["handoff_id"] == "h2"


@pytest.mark.parametrize("wanted", [True, False])
async def test_e7_the_end_of_the_session_ends_the_grace(begin_v1: BeginV1, *, wanted: bool) -> None:
    """The agent isn't run any more; who wants the rest has it, once."""
    agent = ByHand()
    tails: list[Request] = []

    async def tail(request: Request) -> None:
        await anyio.sleep(0.01)
        tails.append(request)

    deputy = Delegate(agent, tail=tail if wanted else None, grace=60)
    async with begin_v1(trailing, delegate=deputy) as talk:
        talk.sink.play_all()
        await talk.tells(AgentSaid)
    assert agent.works == []
    rest = ("please run the tests", ["user: please run the tests on main", "assistant: On it, one sec."])
    assert [(request.input, lines_of(request)) for request in tails] == ([rest] if wanted else [])


async def test_e7_a_transcript_that_trails_a_function_call(begin: Begin) -> None:
    """V2 with a time of grace: the words are those of the user's own item, however late they come."""
    agent = ByHand()
    script = replies([delegate("run them")])
    deputy = Delegate(agent, grace=0.3)
    async with begin(script, provider={"turn_detection": None}, session=with_agent(deputy)) as talk:
        await talk.session.send_audio(bytes(48 * 200))
        await talk.session.commit_audio()
        await talk.generate_reply()
        await talk.tells(FunctionCalled)
        (item,) = talk.items("user")
        kind = "conversation.item.input_audio_transcription"
        where = {"event_id": "e", "item_id": item.id, "content_index": 0}
        talk.wire.inject({"type": f"{kind}.delta", "delta": "run the", **where})
        talk.wire.inject({"type": f"{kind}.delta", "delta": " tests", **where})
        work = await asked(agent)
        assert lines_of(work) == ["user: run the tests"]
        talk.wire.inject({"type": f"{kind}.completed", "transcript": "Run the tests on main.", **where})
        await talk.tells(UserSaid)
        agent.returns("Passed.")
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert outputs(talk) == {"run them": "Passed."}
    assert [event.text for event in talk.events if isinstance(event, UserTranscript)] == ["run the", " tests"]


# --------------------------------------------------------------------------------- E8: a second one while one is active


async def test_e8_second_delegation_steers_the_first(begin: Begin) -> None:
    """It is acknowledged at once, handed to the agent that works, and there is one final answer, to the first."""
    agent = ByHand()
    script = replies([delegate("fix the bug")], [delegate("also add a test")], "I will.", "Both are done.")
    async with begin(script, session=with_agent(Delegate(agent))) as talk:
        talk.sink.play_all()
        await talk.ask("Fix the bug.")
        work = await asked(agent)
        await talk.ask("And add a test.")
        await talk.log.wait("response.done", 3)
        assert outputs(talk) == {"also add a test": STEERED}
        more = await steered(work)
        assert (more.input, lines_of(more)) == ("also add a test", ["user: And add a test."])
        agent.returns("Done.")
        await talk.log.wait("response.done", 4)
        await talk.session.quiet()
        assert outputs(talk) == {"also add a test": STEERED, "fix the bug": "Done."}
        assert [message.heard_text for message in talk.said()] == ["I will.", "Both are done."]
        assert not talk.log.find("error")
    assert len(agent.works) == 1


async def test_e8_in_the_midst_of_a_response(begin: Begin) -> None:
    """Both calls come in one response, and its speech goes on: the replies that are wanted wait, and are one."""
    agent, gate = ByHand(), Gate()
    first = Reply(outputs=(delegate("fix it"), delegate("test it"), Say(text="I have a lot to do.", gate=gate)))
    async with begin(replies(first, "All done."), session=with_agent(Delegate(agent))) as talk:
        talk.sink.play_all()
        await talk.ask("Fix and test it.")
        await talk.tells(FunctionCalled, 2)
        await asked(agent)
        agent.returns("Fixed.")
        await asked(agent, 2)  # it had left the second unread
        agent.returns("Tested.")
        await talk.log.wait("conversation.item.create", 3)
        assert not talk.log.find("response.done")
        gate.open()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert outputs(talk) == {"test it": STEERED, "fix it": "Tested."}
        assert "[BACKEND] Fixed." in [item.text for item in talk.items("user")]
        assert len(talk.sent("response.create")) == 2
        assert [message.heard_text for message in talk.said()] == ["I have a lot to do.", "All done."]
        assert not talk.log.find("error")


async def test_e8_second_handoff_steers_the_first(begin_v1: BeginV1) -> None:
    agent = ByHand()

    async def script(line: Line) -> None:
        await line.hand_off("fix the bug", "h1")
        await line.written()
        await line.hand_off("also add a test", "h2")

    async with begin_v1(script, delegate=Delegate(agent, grace=0)) as talk:
        talk.sink.play_all()
        work = await asked(agent)
        await talk.session.add("Go on.")
        more = await steered(work)
        assert (more.input, lines_of(more)) == ("also add a test", ["user: Go on."])
        await work.progress("Looking.")
        agent.returns("Done.")
        await talk.line.log.wait("conversation.handoff.append", 2)
        appends = [record.json for record in talk.line.log.find("conversation.handoff.append")]
        assert [(each["handoff_id"], each["output_text"]) for each in appends] == [
            ("h2", "Looking."),
            ("h2", FINAL + "Done."),
        ]
    assert len(agent.works) == 1


# ------------------------------------------------------------------------------------------------- what else may happen


async def test_progress_goes_out_before_the_answer(begin: Begin) -> None:
    async def agent(work: Work) -> str:
        for number in range(100):
            await work.progress(f"step {number}")
        return f"fixed: {work.input}"

    script = replies(["On it.", delegate("fix the bug")], "It is fixed.")
    async with begin(script, session=with_agent(Delegate(agent))) as talk:
        talk.sink.play_all()
        await talk.ask("Please fix the bug.")
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert outputs(talk) == {"fix the bug": "fixed: fix the bug"}
        created = [record.json["item"] for record in talk.log.find("conversation.item.create")]
        told = [item["content"][0]["text"] if item["type"] == "message" else item["output"] for item in created]
        assert told == [
            "Please fix the bug.",
            *(f"[BACKEND] step {number}" for number in range(100)),
            "fixed: fix the bug",
        ]
        assert [message.heard_text for message in talk.said()] == ["On it.", "It is fixed."]
        functions = talk.sent("session.update")[0]["session"]["tools"]
        assert [each["name"] for each in functions] == ["background_agent", "remain_silent"]
    assert [event.text for event in talk.events if isinstance(event, UserWrote)] == ["Please fix the bug."]


async def test_silence_is_no_reply(begin: Begin) -> None:
    script = replies([Call(name="remain_silent")], "You called?")
    async with begin(script, session=with_agent(Delegate(ByHand()))) as talk:
        talk.sink.play_all()
        await talk.ask("Honey, where are my keys?")
        await talk.log.wait("conversation.item.create", 2)
        await talk.session.quiet()
        assert [item.output for item in talk.items() if item.type == "function_call_output"] == [""]
        assert len(talk.sent("response.create")) == 1
        assert talk.said() == []


async def test_text_before_a_call_is_told_before_it(begin: Begin) -> None:
    """Text takes the short way to its message, calls the long one: who listens has them in the order of the wire."""
    agent = ByHand()
    first = [Say(text=f"This is sentence number {number}.") for number in range(3)]
    async with begin(replies([*first, delegate("go")]), session=with_agent(Delegate(agent))) as talk:
        talk.sink.play_all()
        await talk.ask("Go!")
        work = await asked(agent)
        assert lines_of(work) == ["user: Go!", *(f"assistant: {each.text}" for each in first)]
        agent.returns("Gone.")
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
    call = next(index for index, event in enumerate(talk.events) if isinstance(event, FunctionCalled))
    words = "".join(event.text for event in talk.events[:call] if isinstance(event, MessageText))
    assert words == "".join(each.text for each in first)


async def test_what_was_cut_is_corrected(begin: Begin) -> None:
    """The agent was told what the model was about to say; then the user spoke over it."""
    agent = ByHand()
    long = "I will look at all of the files in the project, one by one."
    script = replies([long, delegate("look")], [delegate("look faster")])
    async with begin(script, session=with_agent(Delegate(agent))) as talk:
        await talk.ask("Look.")
        work = await asked(agent)
        assert lines_of(work) == ["user: Look.", f"assistant: {long}"]
        await talk.sink.play(16 * 60)
        await talk.session.interrupt()
        await talk.tells(AgentSaid)
        await talk.ask("Faster.")
        more = await steered(work)
        assert lines_of(more) == ["assistant (correction): I will look at", "user: Faster."]
        talk.session.delegate.stop()  # pyright: ignore[reportOptionalMemberAccess]
        await talk.session.quiet()


async def test_a_reconnect_leaves_it_working(begin: Begin) -> None:
    """The new server is told of the call and of what was said of it, and has the answer once."""
    agent = ByHand()
    async with begin(replies([delegate("fix it")], "It is fixed."), session=with_agent(Delegate(agent))) as talk:
        talk.sink.play_all()
        await talk.ask("Fix it.")
        work = await asked(agent)
        await work.progress("reading")
        await talk.session.quiet()
        await talk.wire.close(1011, "bye")
        await talk.reaches("link", "reconnecting")
        await work.progress("writing")
        await talk.connected(2)
        agent.returns("Fixed.")
        await talk.log.wait("response.done")
        await talk.session.quiet()
        assert [item.text or item.arguments or item.output for item in talk.items()] == [
            "Fix it.",
            '{"prompt":"fix it"}',
            "Fixed.",
            "[BACKEND] reading",
            "[BACKEND] writing",
            "It is fixed.",
        ]
    assert len(agent.works) == 1


async def test_stopping_it(begin: Begin) -> None:
    """The call has its output, and nobody is made to speak of it."""
    agent = ByHand()
    async with begin(replies([delegate("fix it")]), session=with_agent(Delegate(agent))) as talk:
        deputy = talk.session.delegate
        assert deputy
        assert deputy.active is None
        await talk.ask("Fix it.")
        await asked(agent)
        assert deputy.active
        deputy.stop("the user changed their mind")
        await talk.log.wait("conversation.item.create", 2)
        await talk.session.quiet()
        assert outputs(talk) == {"fix it": STOPPED + "the user changed their mind"}
        assert deputy.active is None
        assert agent.cancelled == 1
        assert len(talk.sent("response.create")) == 1
        deputy.stop()  # nothing is under way
    deputy.stop()  # nor will be


async def test_the_end_of_the_session_ends_the_agent(begin: Begin) -> None:
    agent = ByHand()
    async with begin(replies([delegate("fix it")]), session=with_agent(Delegate(agent))) as talk:
        await talk.ask("Fix it.")
        work = await asked(agent)
    assert outputs(talk) == {"fix it": STOPPED + ENDED}
    assert agent.cancelled == 1
    with pytest.raises(SessionClosed):
        await work.progress("still here")


async def test_a_resumed_session_knows_that_it_was_stopped() -> None:
    """The call was answered when the session was left, and is not run a second time."""
    journal, agent = MemoryJournal(), ByHand()
    async with conversation(
        replies([delegate("fix it")]), session=with_agent(Delegate(agent)), journal=journal
    ) as talk:
        await talk.ask("Fix it.")
        await asked(agent)
    provider = OpenAIRealtime(api_key="", websocket_base_url="ws://memory/v1")
    async with MemoryServer() as server:
        again = Session.resume(
            journal, talk.session.id, provider, sink=MemorySink(), connect=server.connect, delegate=Delegate(agent)
        )
        async with again:
            await again.quiet()
            assert [item.output for item in again.history if item.call_id] == ["", STOPPED + ENDED]
    assert len(agent.works) == 1


async def test_a_reply_to_what_the_agent_said_that_is_refused(begin: Begin) -> None:
    """Nobody holds its handle: the app is told all the same."""
    agent = ByHand()
    agent.returns("It is done.")
    faults = Faults(refuse("response.create", nth=2, times=ALWAYS))
    async with begin(replies(delegate("do it")), session=with_agent(Delegate(agent)), faults=faults) as talk:
        await talk.ask()
        problem = await talk.tells(Problem)
        assert problem.message.startswith("there is no reply to what the agent said: ")
        await talk.session.quiet()
        assert list(outputs(talk).values()) == ["It is done."]
