"""The app says when the user's turn begins and ends, as with a button that is held."""

import anyio
import pytest

from rtactors import ReplyFailed
from rtactors.interruption import NEVER, ON_WORDS, Interruption
from rtactors.limits import Deadlines
from rtactors.loopback.faults import Faults, ignore
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import IMMEDIATE, Timing, replies
from rtactors.session_events import (
    AgentStartedSpeaking,
    Problem,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import Conversation, conversation, speech
from tests.scenarios.conftest import Begin
from tests.scenarios.test_false_alarm import comes_to_be, fates, interruptions
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, length

pytestmark = pytest.mark.anyio

BY_HAND = {"turn_detection": None}


async def press_and_speak(talk: Conversation, ms: int = 200) -> None:
    await talk.session.begin_turn()
    await talk.session.send_audio(speech(ms))


async def test_a_turn_by_hand(begin: Begin) -> None:
    """It interrupts when it begins, and is answered when it ends."""
    async with begin(replies(SECOND, THIRD), provider=BY_HAND, recognizer=Scripted("Stop.")) as talk:
        told = await talk.ask()
        await talk.sink.play(400)
        await press_and_speak(talk)
        (message,) = await told.done()
        assert (message.heard_ms, message.interrupted) == (400, True)
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        talk.sink.play_all()
        assert [message.heard_text for message in await reply.done()] == [THIRD]
        await talk.session.quiet()
        texts = [(item.role, item.heard_text) for item in talk.session.history]
        assert texts[1:] == [("assistant", message.heard_text), ("user", "Stop."), ("assistant", THIRD)]
        received = [record.type for record in talk.log.received]
        assert received.index("input_audio_buffer.commit") + 1 == received.index("response.create", 4)
    begun = [event.item_id for event in talk.events if isinstance(event, UserStartedSpeaking)]
    ended = [event.item_id for event in talk.events if isinstance(event, UserStoppedSpeaking)]
    assert begun == ended
    assert len(begun) == 1
    assert interruptions(talk) == 1


async def test_what_was_sent_before_is_no_part_of_it(begin: Begin) -> None:
    async with begin(replies(FIRST), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.session.send_audio(speech(900))
        await press_and_speak(talk, 300)
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        await reply.done()
        await talk.session.quiet()
        (item,) = talk.items("user")
        assert item.audio_ms == 300


async def test_requests_wait_while_the_button_is_held(begin: Begin) -> None:
    async with begin(replies(FIRST, THIRD), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await press_and_speak(talk)
        waits = await talk.generate_reply()
        await talk.tells(UserStartedSpeaking)
        assert not talk.sent("response.create")
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        await reply.done()
        await waits.done()
        await talk.session.quiet()


@pytest.mark.parametrize("sent_ms", [0, 40])
async def test_nothing_or_too_little_was_said(begin: Begin, sent_ms: int) -> None:
    """The server makes no item of it: the reply fails, and says why; what the server began to say leaves nothing."""
    async with begin(replies(FIRST), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await talk.session.begin_turn()
        if sent_ms:
            await talk.session.send_audio(speech(sent_ms))
        reply = await talk.session.end_turn()
        with pytest.raises(ReplyFailed, match="the user's turn was refused"):
            await reply.done()
        await talk.session.quiet()
        assert talk.said() == talk.items("assistant") == []
        again = await talk.ask()  # nothing hangs
        assert [message.heard_text for message in await again.done()] == [FIRST]


async def test_a_turn_that_is_cancelled(begin: Begin) -> None:
    """It leaves nothing, and nobody answers; what it held goes on at the same frame."""
    async with begin(replies(SECOND), provider=BY_HAND, session={"interruption": ON_WORDS}) as talk:
        reply = await talk.ask()
        await talk.sink.play(400)
        await press_and_speak(talk)
        await talk.reaches("message", "paused")
        await talk.session.cancel_turn()
        await comes_to_be(talk, "dismissed", 1)
        talk.sink.play_all()
        (message,) = await reply.done()
        await talk.session.quiet()
        assert (message.heard_ms, message.interrupted) == (length(SECOND), False)
        assert [item.role for item in talk.items()] == ["user", "assistant"]


async def test_to_end_a_turn_is_to_mean_it(begin: Begin) -> None:
    """Its words need not be known: that somebody let go of a button says enough."""
    async with begin(
        replies(SECOND, THIRD), provider=BY_HAND, session={"interruption": ON_WORDS}, recognizer=Scripted("")
    ) as talk:
        told = await talk.ask()
        await talk.sink.play(400)
        await press_and_speak(talk)
        await talk.reaches("message", "paused")
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        (message,) = await told.done()
        assert (message.heard_ms, message.interrupted) == (400, True)
        talk.sink.play_all()
        assert [message.heard_text for message in await reply.done()] == [THIRD]
        await talk.session.quiet()


async def test_a_turn_over_what_may_not_be_interrupted(begin: Begin) -> None:
    async with begin(replies(SECOND, THIRD), provider=BY_HAND, session={"interruption": NEVER}) as talk:
        told = await talk.ask()
        await talk.sink.play(400)
        await press_and_speak(talk)
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        talk.sink.play_all()
        assert [message.interrupted for message in await told.done()] == [False]
        assert [message.heard_text for message in await reply.done()] == [THIRD]
        await talk.session.quiet()
        assert [item.heard_text for item in talk.said()] == [SECOND, THIRD]


async def test_a_button_that_is_held_long_enough() -> None:
    policy = {"interruption": Interruption(min_speech=0.5)}
    async with conversation(
        replies(SECOND, THIRD), provider=BY_HAND, session=policy, sink=PacedSink(), timing=Timing()
    ) as talk:
        told = await talk.ask()
        await talk.tells(AgentStartedSpeaking)
        await anyio.sleep(0.3)
        await press_and_speak(talk)
        await anyio.sleep(0.4)
        await talk.session.cancel_turn()
        await press_and_speak(talk)
        begun = anyio.current_time()
        (message,) = await told.done()
        assert message.interrupted
        assert anyio.current_time() == pytest.approx(begun + 0.5, abs=0.02)
        reply = await talk.session.end_turn()
        await reply.done()
        await talk.session.quiet()
    assert fates(talk) == ["dismissed", "taken"]


async def test_the_connection_is_lost_while_the_button_is_held(begin: Begin) -> None:
    """The user goes on; the new server hears all of it."""
    async with begin(replies(FIRST), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await press_and_speak(talk, 300)
        await talk.log.wait("input_audio_buffer.cleared")
        await talk.wire.close(1011, "gone")
        await talk.connected(2)
        await talk.session.send_audio(speech(300))
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        assert [message.heard_text for message in await reply.done()] == [FIRST]
        await talk.session.quiet()
        (item,) = talk.items("user")
        assert item.audio_ms == 600


async def test_a_button_that_is_never_let_go() -> None:
    """Requests that wait for it do so for `Deadlines.speech`."""
    async with conversation(replies(FIRST), provider=BY_HAND, sink=PacedSink(), timing=Timing()) as talk:
        await press_and_speak(talk)
        begun = anyio.current_time()
        reply = await talk.ask()
        await reply.started()
        assert Deadlines().speech <= anyio.current_time() - begun < Deadlines().speech + 1
        await reply.done()


async def test_pressing_twice_begins_anew(begin: Begin) -> None:
    async with begin(replies(FIRST), provider=BY_HAND) as talk:
        talk.sink.play_all()
        await press_and_speak(talk, 500)
        await press_and_speak(talk, 200)
        reply = await talk.session.end_turn()
        talk.replies.append(reply)
        await reply.done()
        await talk.session.quiet()
        (item,) = talk.items("user")
        assert item.audio_ms == 200
    begun = [event.item_id for event in talk.events if isinstance(event, UserStartedSpeaking)]
    ended = [event.item_id for event in talk.events if isinstance(event, UserStoppedSpeaking)]
    assert begun == ended
    assert len(begun) == 2


async def test_a_commit_that_gets_lost_ends_with_its_request() -> None:
    """Nothing hangs: the server replies to what it has."""
    faults = Faults(ignore("input_audio_buffer.commit"))
    async with conversation(replies(FIRST), provider=BY_HAND, faults=faults, timing=IMMEDIATE) as talk:
        talk.sink.play_all()
        await press_and_speak(talk)
        reply = await talk.session.end_turn()
        assert [message.heard_text for message in await reply.done()] == [FIRST]
        await talk.session.quiet()
        assert not [event for event in talk.events if isinstance(event, Problem)]
