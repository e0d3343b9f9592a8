"""What an app asks for and is told of it: the floor, the queue, and the handle of a reply."""

import anyio
import pytest

from rtactors import ReplyFailed
from rtactors.events import Item
from rtactors.limits import Backoff, Deadlines
from rtactors.loopback.faults import ALWAYS, Faults, duplicate, ignore, refuse
from rtactors.loopback.script import Call, Failed, Gate, Reply, Say, Write, replies
from rtactors.session_events import AgentStateChanged, FunctionCalled, Interrupted
from rtactors.testing.conversation import conversation
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, length

pytestmark = pytest.mark.anyio


# -- the handle


async def test_a_handle_tells_when_it_was_created_first_heard_and_done(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)))) as talk:
        reply = await talk.ask()
        await reply.started()
        assert reply.response_id
        assert not reply.over
        heard: list[bool] = []

        async def listen() -> None:
            heard.append(await reply.heard())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await gate.reached.wait()
            assert not heard
            gate.open()
            await talk.sink.play(20)
        assert heard == [True]
        assert not reply.over
        talk.sink.play_all()
        (message,) = await reply.done()
        assert (message.heard_text, reply.heard_text) == (FIRST, FIRST)
        assert [item.text for item in reply.output] == [FIRST]


async def test_of_a_reply_that_was_skipped_nothing_is_heard(begin: Begin) -> None:
    async with begin(replies(FIRST)) as talk:
        reply = await talk.ask()
        await talk.log.wait("response.done")
        await reply.interrupt()
        assert not await reply.heard()
        assert await reply.done() == []
        assert reply.interrupted
        await talk.session.quiet()
        assert talk.held() == []


async def test_a_handle_raises_what_went_wrong(begin: Begin) -> None:
    script = replies(Reply(outputs=(Say(text=FIRST),), ending=Failed(after_ms=0, message="The model is out.")))
    async with begin(script) as talk:
        reply = await talk.ask()
        for wait in (reply.done, reply.heard):
            with pytest.raises(ReplyFailed, match="The model is out"):
                await wait()
        assert reply.failure == "The model is out."


async def test_a_handle_interrupts_its_own_reply_only(begin: Begin) -> None:
    """The other one waits for the floor, and gets it."""
    async with begin(replies(FIRST, SECOND)) as talk:
        first = await talk.ask("One.")
        await talk.sink.play(300)
        second = await talk.ask("Two.")
        await talk.log.wait("response.done", 2)
        await first.interrupt()
        await first.done()
        talk.sink.play_all()
        assert [message.heard_text for message in await second.done()] == [SECOND]
        assert first.interrupted
        assert not second.interrupted
        await talk.session.quiet()
        assert [ms for _, ms in talk.held()] == [300, length(SECOND)]


# -- the queue


async def test_replies_that_want_nothing_in_particular_are_one_while_they_wait(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), SECOND)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        waiting = [await talk.generate_reply() for _ in range(3)]
        gate.open()
        for reply in waiting:
            assert [message.heard_text for message in await reply.done()] == [SECOND]
        await talk.session.quiet()
        assert len(talk.sent("response.create")) == 2
        assert len({reply.response_id for reply in waiting}) == 1


async def test_one_reply_answers_one_question_only(begin: Begin) -> None:
    """Two questions are not joined because both would join what was asked for without words before them."""
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), SECOND, THIRD)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        waiting = [await talk.generate_reply(), await talk.ask("And?"), await talk.ask("Then?")]
        gate.open()
        assert [(await reply.done())[0].heard_text for reply in waiting] == [SECOND, SECOND, THIRD]
        await talk.session.quiet()
        assert len(talk.sent("response.create")) == 3


async def test_replies_that_were_asked_for_in_words_are_each_given(begin: Begin) -> None:
    gate = Gate()
    script = replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), SECOND, THIRD, "Yes.")
    async with begin(script) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        waiting = [
            await talk.ask("And?"),
            await talk.generate_reply(instructions="Be brief."),
            await talk.generate_reply(instructions="Be brief."),
        ]
        gate.open()
        heard = [(await reply.done())[0].heard_text for reply in waiting]
        assert heard == [SECOND, THIRD, "Yes."]
        await talk.session.quiet()
        asked = [sent["response"].get("instructions") for sent in talk.sent("response.create")]
        assert asked == [None, None, "Be brief.", "Be brief."]


async def test_one_of_those_that_are_one_is_given_up(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), SECOND)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        given_up, kept = [await talk.generate_reply() for _ in range(2)]
        await given_up.interrupt()
        with pytest.raises(ReplyFailed, match="given up"):
            await given_up.done()
        gate.open()
        assert [message.heard_text for message in await kept.done()] == [SECOND]
        await talk.session.quiet()


async def test_what_is_more_urgent_comes_first(begin: Begin) -> None:
    gate = Gate()
    script = replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), "Urgent.", "Two.", "Three.")
    async with begin(script) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        two, three = await talk.ask("Two?"), await talk.ask("Three?")
        urgent = await talk.generate_reply(priority=1)
        gate.open()
        heard = [(await reply.done())[0].heard_text for reply in (urgent, two, three)]
        assert heard == ["Urgent.", "Two.", "Three."]
        await talk.session.quiet()


async def test_what_is_more_urgent_is_not_heard_before_what_the_model_has_made(begin: Begin) -> None:
    """The model wrote it behind that: heard in another order, the server's history would not be what was heard."""
    async with begin(replies(FIRST, SECOND, "Urgent.")) as talk:
        await talk.ask("One.")
        await talk.sink.play(100)
        await talk.ask("Two.")
        await talk.log.wait("response.done", 2)
        await talk.generate_reply(priority=1)
        await talk.log.wait("response.done", 3)
        talk.sink.play_all()
        for reply in talk.replies:
            await reply.done()
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND, "Urgent."]
        await talk.session.quiet()


async def test_a_request_has_a_time_of_its_own(begin: Begin) -> None:
    """It waits for its turn too long; the one behind it does not."""
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), SECOND)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await gate.reached.wait()
        late = await talk.ask("Quick!", timeout=0.4)
        patient = await talk.ask("When you can.")
        with pytest.raises(ReplyFailed, match="did not start it within"):
            await late.done()
        gate.open()
        assert [message.heard_text for message in await patient.done()] == [SECOND]
        await talk.session.quiet()
        assert len(talk.sent("response.create")) == 2


async def test_a_time_that_is_over_once_it_has_started_is_nothing(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)))) as talk:
        talk.sink.play_all()
        reply = await talk.ask(timeout=0.3)
        await reply.started()
        await talk.time_passes(1)
        gate.open()
        assert [message.heard_text for message in await reply.done()] == [FIRST]
        await talk.session.quiet()


async def test_a_time_that_it_was_started_in_is_nothing_to_the_rest_of_it(begin: Begin) -> None:
    """Its server is lost while it makes it, and the time is over before the next one says the rest."""
    gate = Gate()
    script = replies(Reply(outputs=(Say(text=FIRST, gate=gate, gate_ms=300),)), SECOND)
    async with begin(script, reconnect=Backoff(first=1.0, luck=lambda: 1.0)) as talk:
        talk.sink.play_all()
        reply = await talk.ask(timeout=0.5)
        await gate.reached.wait()
        await talk.wire.close(1001, "bye")
        await talk.connected(2)
        assert [message.heard_text for message in await reply.done()][-1] == SECOND
        await talk.session.quiet()


async def test_a_busy_server_is_asked_again_until_it_has_time(begin: Begin) -> None:
    """Refused three times by a server that is busy with what we don't know of: nobody hears of it."""
    code, words = "conversation_already_has_active_response", "Conversation already has an active response"
    faults = Faults(refuse("response.create", code=code, message=words, times=3))
    async with begin(replies(FIRST), faults=faults) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        assert [message.heard_text for message in await reply.done()] == [FIRST]
        await talk.session.quiet()
        assert len(talk.sent("response.create")) == 4


# -- beside the conversation


async def test_a_reply_out_of_band_is_beside_all_others(begin: Begin) -> None:
    """It waits for nothing, answers what it is given, and leaves nothing but what the handle tells."""
    gate = Gate()
    script = replies(Reply(outputs=(Say(text=FIRST, gate=gate),)), Reply(outputs=(Write(text="positive"),)))
    async with begin(script) as talk:
        await talk.ask()
        await gate.reached.wait()
        mood = await talk.session.generate_reply(
            instructions="Which mood is this?",
            input=[Item(id="", role="user", text="What a day!")],
            out_of_band=True,
            output="text",
            metadata={"topic": "mood"},
            max_output_tokens=10,
        )
        assert await mood.done() == []
        assert [item.text for item in mood.output] == ["positive"]
        create = talk.sent("response.create")[1]["response"]
        assert create["conversation"] == "none"
        assert create["output_modalities"] == ["text"]
        assert create["max_output_tokens"] == 10
        assert create["metadata"]["topic"] == "mood"
        assert [part["text"] for item in create["input"] for part in item["content"]] == ["What a day!"]
        gate.open()
        talk.sink.play_all()
        await talk.replies[0].done()
        await talk.session.quiet()
        assert [item.heard_text for item in talk.session.history] == ["Tell me a story.", FIRST]


async def test_a_reply_out_of_band_is_stopped_by_its_handle_and_by_nobody_else(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)))) as talk:
        beside = await talk.session.generate_reply(out_of_band=True)
        await beside.started()
        await gate.reached.wait()
        await talk.session.interrupt()
        assert not talk.sent("response.cancel")
        await beside.interrupt()
        await beside.done()
        assert beside.interrupted
        (cancel,) = talk.sent("response.cancel")
        assert cancel["response_id"] == beside.response_id
        await talk.session.quiet()
        assert talk.session.history == []


async def test_a_reply_out_of_band_fails_with_its_server(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate),)))) as talk:
        beside = await talk.session.generate_reply(out_of_band=True)
        await gate.reached.wait()
        await beside.started()
        await talk.wire.close(1001, "bye")
        with pytest.raises(ReplyFailed):
            await beside.done()
        await talk.connected(2)
        await talk.session.quiet()


async def test_function_calls_out_of_band_are_told_and_not_run(begin: Begin) -> None:
    async with begin(replies([Call(name="note", arguments='{"of": "it"}')])) as talk:
        beside = await talk.session.generate_reply(out_of_band=True)
        await beside.done()
        assert [(item.name, item.arguments) for item in beside.output] == [("note", '{"of": "it"}')]
        await talk.session.quiet()
    assert not [event for event in talk.events if isinstance(event, FunctionCalled)]


async def test_function_calls_out_of_band_are_not_run_when_the_server_repeats_itself(begin: Begin) -> None:
    async with begin(replies([Call(name="note")]), faults=Faults(duplicate("response.done"))) as talk:
        beside = await talk.session.generate_reply(out_of_band=True)
        await beside.done()
        await talk.session.quiet()
        assert len(talk.log.find("response.done")) == 2
    assert not [event for event in talk.events if isinstance(event, FunctionCalled)]
    assert talk.session.history == []


# -- what the app may not ask for


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        ({"priority": "high"}, TypeError, "priority has to be an int"),
        ({"timeout": 0}, ValueError, "timeout has to be a number of seconds above 0"),
        ({"output": "video"}, ValueError, "output is 'video'"),
        ({"max_output_tokens": -1}, ValueError, "max_output_tokens"),
        ({"input": [Item(id="a")]}, ValueError, "has to be out_of_band"),
        ({"input": ["text"], "out_of_band": True}, TypeError, "made of Item, not of str"),
        ({"metadata": {"a": 1}}, TypeError, "metadata 'a' has to be a str"),
        ({"colour": "blue"}, TypeError, "a reply has no colour"),
    ],
)
async def test_what_makes_no_sense_is_refused_where_it_is_said(
    begin: Begin, wanted: dict[str, object], error: type[Exception], says: str
) -> None:
    async with begin(replies(FIRST)) as talk:
        with pytest.raises(error, match=says):
            await talk.session.generate_reply(**wanted)  # type: ignore[arg-type] that is the point
        talk.sink.play_all()
        await (await talk.ask()).done()
        await talk.session.quiet()


# -- what the agent is doing


async def test_the_agent_listens_thinks_and_speaks(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate), Say(text=SECOND))))) as talk:
        await talk.tells(AgentStateChanged)
        assert talk.session.agent_state == "listening"
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.tells(AgentStateChanged, 2)
        assert talk.session.agent_state == "thinking"
        gate.open()
        await talk.sink.play(100)
        await reply.heard()
        await talk.session.pause()
        await talk.reaches("message", "paused")
        assert talk.session.agent_state == "listening"
        await talk.session.unpause()
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert talk.session.agent_state == "listening"
    changes = [event for event in talk.events if isinstance(event, AgentStateChanged)]
    states = [event.state for event in changes]
    assert states == ["listening", "thinking", "speaking", "listening", "speaking", "listening", "closed"]
    assert [event.before for event in changes] == ["initializing", *states[:-1]]
    assert [event.at for event in changes] == sorted(event.at for event in changes)
    assert talk.session.agent_state == "closed"


async def test_who_interrupts_and_what(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Reply(outputs=(Say(text=FIRST, gate=gate, gate_ms=600),)))) as talk:
        reply = await talk.ask()
        await talk.sink.play(300)
        await talk.session.interrupt()
        stopped = await talk.tells(Interrupted)
        assert (stopped.by, stopped.response_ids) == ("app", (reply.response_id,))
        await talk.session.quiet()
        await talk.session.interrupt()
        assert (await talk.tells(Interrupted, 2)).response_ids == ()


async def test_a_request_that_the_server_never_answers_leaves_nothing(begin: Begin) -> None:
    """And those that joined it fail with it."""
    faults = Faults(ignore("response.create", times=ALWAYS))
    async with begin(replies(FIRST), faults=faults, deadlines=Deadlines(start=0.3)) as talk:
        first = await talk.ask()
        joined = [await talk.generate_reply() for _ in range(2)]
        for reply in (first, *joined):
            with pytest.raises(ReplyFailed, match="did not start it in time"):
                await reply.done()
        assert talk.said() == []


async def test_what_the_app_holds_stays_held_when_another_reply_is_interrupted(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(FIRST, Say(text=SECOND, gate=gate))) as talk:
        talk.sink.play_all()
        await talk.session.pause()
        held = await talk.ask()
        other = await talk.generate_reply()
        await other.started()
        await other.interrupt()
        await other.done()
        await talk.time_passes(1)
        assert talk.heard() == []
        await talk.session.unpause()
        (message,) = await held.done()
        await talk.session.quiet()
        assert talk.heard() == talk.held() == [(message.id, length(FIRST))]


async def test_it_is_not_quiet_while_the_rest_of_a_reply_is_about_to_be_asked_for() -> None:
    """Its beginning was heard, and its server is gone."""
    broken_off = Say(text=FIRST, gate=Gate(), gate_ms=600)
    async with conversation(replies(broken_off, SECOND), provider={"turn_detection": None}) as talk:
        reply = await talk.ask()
        await talk.sink.play(300)
        await talk.wire.close(1001, "bye")
        await talk.connected(2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk.session.quiet)
            talk.sink.play_all()
        assert reply.over
        assert reply.heard_text.endswith(SECOND)
