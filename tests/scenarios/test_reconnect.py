"""The connection is lost, and made again: the new server knows what was heard, and what was asked for is answered."""

from http import HTTPStatus

import anyio
import pytest

from rtactors import ReplyFailed, Session, SessionClosed
from rtactors.limits import Backoff, Bounds
from rtactors.loopback.faults import Faults, cut, drop, inject
from rtactors.loopback.script import Call, Gate, Say, Script, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, ConnectionChanged, FunctionCalled, MessageAnnounced, Problem
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import AT_ONCE, MS_PER_CHARACTER, Conversation
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = "This is the first message.", "And here is the second.", "The third is the last."
LIMIT = "Your session hit the maximum duration of 60 minutes."
BY_HAND = {"turn_detection": None}
OSLO = '{"place":"Oslo"}'


def three() -> Script:
    """Three messages, and after that one."""
    return replies([FIRST, SECOND, THIRD], "That is all.")


def told(talk: Conversation) -> list[tuple[str | None, str]]:
    """What the newest server holds."""
    return [(item.role or item.type, item.text or item.output or item.arguments) for item in talk.items()]


async def lose(talk: Conversation) -> None:
    """The newest connection, and wait for the next."""
    before = len(talk.server.sessions)
    await talk.wire.close(1001, LIMIT)
    await talk.connected(before + 1)


def only_the_first(connection: int) -> HTTPStatus | None:
    """Afterwards the server is out of order."""
    return HTTPStatus.SERVICE_UNAVAILABLE if connection > 1 else None


# ------------------------------------------------------------------------------------------------- what it is told


async def test_d5_truncated_message_is_told_as_it_was_heard(begin: Begin) -> None:
    async with begin(three(), provider=BY_HAND) as talk:
        await talk.ask("Tell me three things.")
        await talk.sink.play(900)
        await talk.session.interrupt()
        await talk.session.quiet()
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me three things."), ("assistant", "This is the")]
        assert not talk.sent("conversation.item.truncate")


async def test_d5_cut_that_was_on_its_way(begin: Begin) -> None:
    """Neither the cut nor the deletes were acknowledged when the socket dropped."""
    unanswered = Faults(drop("conversation.item.truncated"), drop("conversation.item.deleted", times=2))
    async with begin(three(), provider=BY_HAND, faults=unanswered) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(900)
        await talk.session.interrupt()
        await talk.reaches("item", "deleting")
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", "This is the")]


async def test_d6_function_call_and_its_output_are_told_in_order(begin: Begin) -> None:
    script = replies([Call(name="weather", arguments=OSLO)], "It rains.", "Indeed.")
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.ask("How is the weather in Oslo?")
        call = await talk.tells(FunctionCalled)
        await talk.session.answer_call(call.call_id, "rain")
        reply = await talk.generate_reply()
        await reply.done()
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [
            ("user", "How is the weather in Oslo?"),
            ("function_call", OSLO),
            ("function_call_output", "rain"),
            ("assistant", "It rains."),
        ]
        again = await talk.ask("Really?")
        assert [message.heard_text for message in await again.done()] == ["Indeed."]


async def test_d6_call_that_is_answered_after_the_reconnect(begin: Begin) -> None:
    script = replies([Call(name="weather", arguments=OSLO)], "It rains.")
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.ask("How is the weather in Oslo?")
        call = await talk.tells(FunctionCalled)
        await talk.session.quiet()
        await lose(talk)
        await talk.session.answer_call(call.call_id, "rain")
        reply = await talk.generate_reply()
        assert [message.heard_text for message in await reply.done()] == ["It rains."]
        await talk.session.quiet()
        assert [role for role, _ in told(talk)] == ["user", "function_call", "function_call_output", "assistant"]


async def test_d6_call_that_is_answered_while_there_is_no_connection(begin: Begin) -> None:
    script = replies([Call(name="weather", arguments=OSLO)], "It rains.")
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.ask("How is the weather in Oslo?")
        call = await talk.tells(FunctionCalled)
        await talk.session.quiet()
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "reconnecting")
        await talk.session.answer_call(call.call_id, "rain")
        await talk.session.add("Be brief.", role="system")
        reply = await talk.generate_reply()
        assert [message.heard_text for message in await reply.done()] == ["It rains."]
        await talk.session.quiet()
        assert told(talk)[1:] == [
            ("function_call", OSLO),
            ("function_call_output", "rain"),
            ("system", "Be brief."),
            ("assistant", "It rains."),
        ]


async def test_only_the_newest_are_told_and_no_output_without_its_call() -> None:
    script = replies([Call(name="weather", arguments=OSLO)], "It rains.")
    provider, bounds = OpenAIRealtime(api_key="", turn_detection=None), Bounds(retold=2)
    async with (
        MemoryServer(script) as server,
        Session(provider, sink=MemorySink(), connect=server.connect, reconnect=AT_ONCE, bounds=bounds) as session,
    ):
        events = session.events()
        await session.ask("How is the weather in Oslo?")
        async for event in events:
            if isinstance(event, FunctionCalled):
                await session.answer_call(event.call_id, "rain")
                break
        await (await session.generate_reply()).done()
        await server.sessions[0].close(1001, LIMIT)
        async for event in events:
            if isinstance(event, ConnectionChanged) and event.state == "connected":
                break
        await session.add("Thank you.")
        await session.quiet()
        assert [(item.role, item.text) for item in server.sessions[1].items] == [
            ("assistant", "It rains."),
            ("user", "Thank you."),
        ]
        assert not server.sessions[1].log.find("error")


async def test_call_that_was_not_complete_is_nobodys(begin: Begin) -> None:
    """It is neither run nor told; the reply is asked for again, and calls once more."""
    gate = Gate()
    script = replies([Call(name="weather", arguments=OSLO, gate=gate)], [Call(name="weather", arguments=OSLO)])
    async with begin(script, provider=BY_HAND) as talk:
        reply = await talk.ask("How is the weather in Oslo?")
        await gate.reached.wait()
        await lose(talk)
        await talk.tells(FunctionCalled)
        await reply.done()
        await talk.session.quiet()
        assert told(talk) == [("user", "How is the weather in Oslo?"), ("function_call", OSLO)]
        await talk.session.quiet()
    assert len([event for event in talk.events if isinstance(event, FunctionCalled)]) == 1


# ------------------------------------------------------------------------------------------ what was asked for


async def test_d9_connection_is_lost_while_a_response_is_awaited(begin: Begin) -> None:
    """The server heard the request and fell silent."""
    async with begin(three(), faults=Faults(drop("response.created"), cut("response.output_item.added"))) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        messages = await reply.done()
        assert [message.heard_text for message in messages] == ["That is all."]


async def test_d9_request_that_may_not_have_arrived(begin: Begin) -> None:
    async with begin(replies(FIRST), provider=BY_HAND) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await talk.reaches("response", "requested")
        await lose(talk)
        assert [message.heard_text for message in await reply.done()] == [FIRST]


async def test_d9_close_returns_though_no_server_answers(begin: Begin) -> None:
    """In the middle of the attempts."""
    async with begin(three(), admit=only_the_first) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.session.quiet()
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "reconnecting")
        reply = await talk.ask("Are you there?")
    assert reply.over
    assert reply.failure


async def test_requests_that_wait_are_answered_in_order(begin: Begin) -> None:
    script = replies(FIRST, SECOND, THIRD)
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "reconnecting")
        asked = [await talk.ask(f"Question {number}") for number in range(3)]
        said = [(await reply.done())[0].heard_text for reply in asked]
        assert said == [FIRST, SECOND, THIRD]


# --------------------------------------------------------------------------------------------- what is being heard


@pytest.mark.parametrize("heard_ms", [100, 900, len(FIRST) * 60 + 100, len(FIRST + SECOND) * 60 + 500])
async def test_e13_what_is_buffered_plays_on(begin: Begin, heard_ms: int) -> None:
    """All three had arrived: each is heard once, whole; the new server is told of each, and nothing is asked again."""
    async with begin(three(), provider=BY_HAND) as talk:
        reply = await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(heard_ms)
        await lose(talk)
        talk.sink.play_all()
        assert [message.heard_text for message in await reply.done()] == [FIRST, SECOND, THIRD]
        await talk.session.quiet()
        assert [text for _, text in told(talk)] == ["Tell me a story.", FIRST, SECOND, THIRD]
        assert [ms for _, ms in talk.heard()] == [len(text) * 60 for text in (FIRST, SECOND, THIRD)]
        assert not talk.sent("response.create")


async def test_e13_interrupted_after_the_reconnect(begin: Begin) -> None:
    async with begin(three(), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(500)
        await lose(talk)
        await talk.sink.play(400)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", "This is the")]
        (message,) = talk.said()
        assert (message.heard_ms, message.interrupted) == (900, True)


async def test_e13_rest_of_a_reply_is_asked_for_once_the_buffer_was_heard(begin: Begin) -> None:
    """The server had come to the middle of the second message."""
    gate = Gate()
    script = replies([FIRST, Say(text=SECOND, gate=gate, gate_ms=600), THIRD], "That is all.")
    async with begin(script, provider=BY_HAND) as talk:
        reply = await talk.ask()
        await talk.sink.play(500)
        await gate.reached.wait()
        await talk.tells(MessageAnnounced, 2)
        await lose(talk)
        await talk.sink.play(300)
        assert not talk.sent("response.create")
        talk.sink.play_all()
        messages = await reply.done()
        assert messages[0].heard_ms == len(FIRST) * 60
        assert all(message.heard_ms <= 600 for message in messages[1:-1])
        assert [message.heard_text for message in messages][:: len(messages) - 1] == [FIRST, "That is all."]
        await talk.session.quiet()
        assert [text for _, text in told(talk)] == ["Tell me a story.", *(message.heard_text for message in messages)]
        assert len(talk.sent("response.create")) == 1


@pytest.mark.parametrize("at_limit", ["close", "error"])
async def test_d8_limit_comes_without_a_warning(begin: Begin, at_limit: str) -> None:
    """Too soon for another connection to be prepared, and in the middle of a response, which fails of it."""
    gate = Gate()
    script = replies([FIRST, Say(text=SECOND, gate=gate, gate_ms=600)], "That is all.")
    async with begin(script, provider=BY_HAND, session_limit_s=0.8, at_limit=at_limit) as talk:
        reply = await talk.ask()
        await talk.sink.play(500)
        await gate.reached.wait()
        await talk.connected(2)
        talk.sink.play_all()
        messages = await reply.done()
        assert [message.heard_text for message in messages][:: len(messages) - 1] == [FIRST, "That is all."]
        assert not any(message.interrupted for message in messages[:: len(messages) - 1])
        heard = ["Tell me a story.", *(message.heard_text for message in messages)]
        assert [item.heard_text for item in talk.session.history] == heard


async def test_rest_is_not_asked_for_if_the_user_spoke_over_it(begin: Begin) -> None:
    gate = Gate()
    script = replies([Say(text=FIRST, gate=gate, gate_ms=900)], "Yes?")
    async with begin(script) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(300)
        await lose(talk)
        await talk.speak()
        assert [message.heard_ms for message in await reply.done()] == [300]
        await talk.fall_silent()
        talk.sink.play_all()
        await talk.tells(AgentSaid, 2)
        await talk.session.quiet()
        assert not talk.sent("response.create")
        assert [item.role for item in talk.items()] == ["user", "assistant", "user", "assistant"]


async def test_rest_is_not_asked_for_for_ever(begin: Begin) -> None:
    """A reply over which each server is lost fails."""
    faults = Faults(*(cut("response.output_audio.delta", nth=nth) for nth in (1, 2, 3)))
    async with begin(three(), faults=faults) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        with pytest.raises(ReplyFailed, match="lost"):
            await reply.done()
        await talk.connected(4)


async def test_reply_that_called_a_function_is_not_asked_for_again(begin: Begin) -> None:
    gate = Gate()
    script = replies([Call(name="pay", arguments="{}"), Say(text=FIRST, gate=gate)], "Paid.")
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        reply = await talk.ask("Pay!")
        call = await talk.tells(FunctionCalled)
        await gate.reached.wait()
        await lose(talk)
        assert await reply.done() == []
        await talk.session.answer_call(call.call_id, "done")
        after = await talk.generate_reply()
        assert [message.heard_text for message in await after.done()] == ["Paid."]
    assert len([event for event in talk.events if isinstance(event, FunctionCalled)]) == 1


# ------------------------------------------------------------------------------------------------- the user's voice


async def test_turn_under_way_is_heard_by_the_next_server(begin: Begin) -> None:
    async with begin(three()) as talk:
        talk.sink.play_all()
        await talk.speak(400)
        await lose(talk)
        await talk.log.wait("input_audio_buffer.speech_started")
        await talk.fall_silent()
        await talk.tells(AgentSaid)
        await talk.session.quiet()
        assert [item.role for item in talk.items()] == ["user", "assistant", "assistant", "assistant"]


async def test_turn_whose_reply_is_owed_is_answered(begin: Begin) -> None:
    """The user's turn was committed, nobody had written it down yet, and the server was lost before it replied."""
    async with begin(three(), faults=Faults(cut("response.created"))) as talk:
        talk.sink.play_all()
        await talk.speak(400)
        await talk.session.send_audio(bytes(600 * 48))
        await talk.connected(2)
        await talk.tells(AgentSaid)
        await talk.session.quiet()
        user, *_ = talk.items()
        assert user.role == "user"
        assert user.audio_ms > 400
        assert len(talk.sent("response.create")) == 1
        assert talk.said()


async def test_turn_committed_by_hand_while_there_is_no_connection(begin: Begin) -> None:
    async with begin(three(), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.session.send_audio(bytes(48 * 300))
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "reconnecting")
        await talk.session.send_audio(bytes(48 * 200))
        await talk.session.commit_audio()
        reply = await talk.generate_reply()
        await reply.done()
        await talk.session.quiet()
        user, *_ = talk.items()
        assert (user.role, user.audio_ms) == ("user", 500)


# ------------------------------------------------------------------------------------------- when it can't be made


async def test_d17_server_closes_the_socket(begin: Begin) -> None:
    """Again and again; nobody has to notice."""
    async with begin(replies(FIRST, SECOND, THIRD), provider=BY_HAND) as talk:
        talk.sink.play_all()
        for number, text in enumerate([FIRST, SECOND, THIRD]):
            reply = await talk.ask(f"Question {number}")
            assert [message.heard_text for message in await reply.done()] == [text]
            await talk.session.quiet()
            await lose(talk)
        await talk.session.quiet()
        assert [text for role, text in told(talk) if role == "assistant"] == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(("status", "why"), [(HTTPStatus.UNAUTHORIZED, "key"), (HTTPStatus.FORBIDDEN, "403")])
async def test_key_that_is_refused_ends_the_session(begin: Begin, status: HTTPStatus, why: str) -> None:
    """What is buffered is heard before that."""

    def admit(connection: int) -> HTTPStatus | None:
        return status if connection > 1 else None

    async with begin(three(), raises=(SessionClosed,), admit=admit) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(100)
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "closed")
        talk.sink.play_all()
        await anyio.sleep_forever()
    assert why in str(talk.failure)
    assert [message.heard_text for message in talk.said()] == [FIRST, SECOND, THIRD]


async def test_quota_that_is_used_up_ends_the_session(begin: Begin) -> None:
    """No other connection is tried."""
    error = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded your current quota."}
    empty = Faults(inject({"type": "error", "error": error}, before="response.output_audio.delta", nth=3))
    async with begin(three(), faults=empty, raises=(SessionClosed,)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await anyio.sleep_forever()
    assert "quota" in str(talk.failure)
    assert len(talk.server.sessions) == 1


async def test_server_that_stays_away_ends_the_session(begin: Begin) -> None:
    patience = Backoff(first=0.01, give_up=0.1, luck=lambda: 1.0)
    async with begin(three(), admit=only_the_first, reconnect=patience, raises=(SessionClosed,)) as talk:
        await talk.wire.close(1001, LIMIT)
        reply = await talk.ask()
        await talk.reaches("link", "closed")
        await anyio.sleep_forever()
    assert "503" in str(talk.failure)
    assert reply.failure


async def test_server_that_comes_back(begin: Begin) -> None:
    def admit(connection: int) -> HTTPStatus | None:
        return HTTPStatus.SERVICE_UNAVAILABLE if 1 < connection < 6 else None

    async with begin(three(), admit=admit) as talk:
        talk.sink.play_all()
        await talk.wire.close(1001, LIMIT)
        reply = await talk.ask()
        assert len(await reply.done()) == 3
        assert [each for each in talk.events if isinstance(each, Problem)] == []


async def test_requests_that_joined_and_were_broken_off_join_again(begin: Begin) -> None:
    """Their rest is asked for once, and what is asked for later has its turn."""
    gate = Gate()
    script = replies(FIRST, Say(text=SECOND, gate=gate, gate_ms=300), "The rest of it.", THIRD)
    async with begin(script) as talk:
        await talk.ask()
        await talk.log.wait("response.created")
        both = [await talk.generate_reply(), await talk.generate_reply()]
        await talk.sink.play(len(FIRST) * MS_PER_CHARACTER + 200)
        await gate.reached.wait()
        await talk.wire.close(1011, "gone")
        await talk.connected(2)
        talk.sink.play_all()
        for reply in both:
            texts = [message.heard_text for message in await reply.done()]
            assert texts[-1] == "The rest of it."
        later = await talk.ask()
        assert [message.heard_text for message in await later.done()] == [THIRD]
        await talk.session.quiet()
