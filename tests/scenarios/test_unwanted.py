"""Responses that begin late or without a word, that nobody wants any more, or that can't be had; messages too long."""

import anyio
import pytest

from rtactors import Bounds, ReplyFailed, Session
from rtactors.loopback.faults import Faults, delay, drop
from rtactors.loopback.script import Gate, Say, Timing, replies
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, FunctionCalled, Problem
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import ALL_EVENTS, conversation
from tests.scenarios.by_hand import CALL, MESSAGE, Json, ServerByHand
from tests.scenarios.test_interruption import FIRST, SECOND, length

pytestmark = pytest.mark.anyio

LATE = {
    "behind its first audio": delay("response.created", ms=150),
    "behind its end": delay("response.created", ms=300),
    "lost": drop("response.created"),
}


@pytest.mark.parametrize("created", LATE)
async def test_a_response_whose_beginning_is_late_is_the_one_asked_for(created: str) -> None:
    """It is told only when the response has begun to speak, or is over, or never."""
    faults = Faults(LATE[created])
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=Timing(), faults=faults) as talk:
        first = await talk.ask()
        second = await talk.generate_reply()
        assert [message.heard_text for message in await first.done()] == [FIRST]
        assert [message.heard_text for message in await second.done()] == [SECOND]
        assert (first.response_id, first.status) == ("resp_000001", "completed")
        await talk.session.quiet()
        assert not talk.log.find("error")


# -------------------------------------------------------------------------------------------------- function calls


def by_hand(server: ServerByHand) -> Session:
    return Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect)


async def test_a_function_call_of_a_response_outside_of_the_conversation_is_not_run() -> None:
    server = ServerByHand()
    async with by_hand(server) as session:
        events = session.events()
        elsewhere: Json = {"id": "resp_1", "status": "in_progress", "conversation_id": None, "metadata": {}}
        await server.say("response.created", response=elsewhere)
        await server.say("response.output_item.done", response_id="resp_1", output_index=0, item=CALL)
        await server.say("response.done", response={**elsewhere, "status": "completed", "output": [CALL]})
        assert [event["type"] for event in await server.take()] == ["session.update"]
        assert session.history == []
    assert not [event async for event in events if isinstance(event, FunctionCalled)]


async def test_a_function_call_of_an_abandoned_request_is_not_run_but_deleted() -> None:
    """It was given up while it was on its way; its call is complete before the cancellation arrives."""
    server = ServerByHand()
    async with by_hand(server) as session:
        events = session.events()
        reply = await session.generate_reply()
        request = await server.receive("response.create")
        await session.interrupt(reply)
        await server.begin(request)
        await server.announce(CALL)
        done = {**CALL, "status": "completed"}
        await server.say("response.output_item.done", response_id="resp_1", output_index=0, item=done)
        await server.say("response.done", response={"id": "resp_1", "status": "completed", "output": [done]})
        assert (await server.receive("response.cancel"))["response_id"] == "resp_1"
        assert (await server.receive("conversation.item.delete"))["item_id"] == CALL["id"]
        await server.say("conversation.item.deleted", item_id=CALL["id"])
        await session.quiet()
        assert session.history == []
        assert await server.take() == []
    assert not [event async for event in events if isinstance(event, FunctionCalled)]


async def test_a_refused_delete_is_not_sent_again_with_each_piece_of_audio() -> None:
    """The app took out a message that was cut, and the server goes on making it."""
    server = ServerByHand()
    async with by_hand(server) as session:
        await session.generate_reply()
        await server.begin(await server.receive("response.create"))
        await server.announce(MESSAGE)
        await server.speak(1000)
        await anyio.sleep(0.3)
        await session.interrupt()
        await anyio.sleep(0.1)
        await session.remove(MESSAGE["id"])
        await server.refuse(await server.receive("conversation.item.delete"))
        for _ in range(5):
            await server.speak(100)
        sent = [event["type"] for event in await server.take()]
        assert "conversation.item.delete" not in sent


# ---------------------------------------------------------------------------------------------------- the one slot


async def test_an_abandoned_request_holds_the_slot_until_it_is_answered() -> None:
    """Else the next one is refused: the server knows only that one of them came first."""
    timing = Timing(command_ms=40, created_ms=100)
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=timing) as talk:
        unwanted = await talk.ask()
        await talk.log.wait("response.create")
        await talk.session.interrupt(unwanted)
        with pytest.raises(ReplyFailed, match="given up"):
            await unwanted.done()
        assert (unwanted.status, unwanted.over) == ("failed", True)
        wanted = await talk.ask()
        assert [message.heard_text for message in await wanted.done()] == [SECOND]
        await talk.session.quiet()
        assert not talk.log.find("error")
        steps = ("response.create", "response.created", "response.cancel", "response.done")
        order = [record.type for record in talk.log.records if record.type in steps]
        create, created, cancel, done = steps
        assert order == [create, created, cancel, done, create, created, done]


async def test_it_is_not_quiet_while_an_abandoned_request_is_under_way() -> None:
    async with conversation(replies(FIRST), sink=PacedSink(), timing=Timing(created_ms=1000)) as talk:
        unwanted = await talk.ask()
        await talk.log.wait("response.create")
        await talk.session.interrupt(unwanted)
        await talk.session.quiet()
        assert len(talk.log.find("response.done")) == 1
        assert talk.heard() == talk.held() == []


async def test_it_is_quiet_in_the_end_though_an_abandoned_request_is_never_answered() -> None:
    server = ServerByHand()
    async with by_hand(server) as session:
        reply = await session.generate_reply()
        await server.receive("response.create")
        await session.interrupt(reply)
        await session.quiet()


# --------------------------------------------------------------------------------------------------- what can't be


async def test_a_refused_request_is_a_reply_that_failed() -> None:
    server = ServerByHand()
    async with by_hand(server) as session:
        reply = await session.generate_reply()
        await server.refuse(await server.receive("response.create"))
        with pytest.raises(ReplyFailed, match="No"):
            await reply.done()
        assert (reply.status, reply.failure, reply.interrupted) == ("failed", "No.", False)


async def test_an_item_that_the_server_refuses_was_never_said() -> None:
    """Nor is it answered."""
    server = ServerByHand()
    async with by_hand(server) as session:
        events = session.events()
        reply = await session.ask("Something outrageous.")
        item = await server.receive("conversation.item.create")
        assert [item.heard_text for item in session.history] == ["Something outrageous."]
        request = await server.receive("response.create")
        await server.refuse(item)
        with pytest.raises(ReplyFailed, match="its question was refused: No"):
            await reply.done()
        assert session.history == []
        await server.refuse(request)
        await session.quiet()
    (problem,) = [event async for event in events if isinstance(event, Problem)]
    assert problem.operation == item["item"]["id"]


async def test_a_reply_to_a_refused_question_has_failed_also_if_it_began() -> None:
    server = ServerByHand()
    async with by_hand(server) as session:
        reply = await session.ask("Something outrageous.")
        item = await server.receive("conversation.item.create")
        await server.begin(await server.receive("response.create"))
        await reply.started()
        await server.refuse(item)
        assert (await server.receive("response.cancel"))["response_id"] == "resp_1"
        await server.say("response.done", response={"id": "resp_1", "status": "cancelled"})
        with pytest.raises(ReplyFailed, match="its question was refused: No"):
            await reply.done()
        assert reply.status == "cancelled"


async def test_a_message_that_is_too_long_ends_where_it_is_too_long() -> None:
    """The server is told what was heard of it, and the app why."""
    bounds = Bounds(message_bytes=48 * 1000, events=ALL_EVENTS)
    async with conversation(replies([SECOND, FIRST]), sink=PacedSink(), timing=Timing(), bounds=bounds) as talk:
        reply = await talk.ask()
        long, next_one = await reply.done()
        await talk.session.quiet()
        assert 1000 <= long.heard_ms <= 1020 < length(SECOND)
        assert next_one.heard_ms <= 1020
        assert talk.heard() == talk.held() == [(each.id, each.heard_ms) for each in (long, next_one)]
        problem = await talk.tells(Problem)
        assert (problem.operation, "48000 bytes" in problem.message) == (long.id, True)


@pytest.mark.parametrize("made_ms", [1020, 1100], ids=["all heard", "not all heard"])
async def test_a_message_that_is_too_long_is_cut_also_when_the_rest_comes_later(made_ms: int) -> None:
    """It has ended here before the server goes on with it."""
    gate = Gate()
    say = Say(text=SECOND, gate=gate, gate_ms=made_ms)
    bounds = Bounds(message_bytes=48 * 1000, events=ALL_EVENTS)
    async with conversation(replies(say), bounds=bounds) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await talk.tells(AgentSaid)
        gate.open()
        (message,) = await reply.done()
        await talk.session.quiet()
        assert (message.heard_ms, message.generated_ms) == (talk.heard()[0][1], length(SECOND))
        assert talk.heard() == talk.held() == [(message.id, message.heard_ms)]
