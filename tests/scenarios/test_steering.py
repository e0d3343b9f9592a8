"""What an app does while something is said, or about to be: in the order in which it does it, and at any moment."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from rtactors import Deadlines, ReplyFailed, Session, SessionClosed
from rtactors.loopback.script import Timing, replies
from rtactors.session_events import AgentStartedSpeaking, UserStartedSpeaking
from rtactors.sinks import PacedSink
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import Conversation, conversation
from rtactors.testing.faulty_sink import FaultySink
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, length

pytestmark = pytest.mark.anyio

SEEDS = range(20)

# ------------------------------------------------------------------------------------------------------- in order


async def quiet_right_after_ask(talk: Conversation) -> None:
    reply = await talk.ask()
    await talk.session.quiet()
    assert reply.over
    assert reply.heard_text == FIRST


async def interrupt_right_after_ask(talk: Conversation) -> None:
    reply = await talk.ask()
    await talk.session.interrupt(reply)
    with pytest.raises(ReplyFailed, match="given up"):
        await reply.done()
    await talk.session.quiet()
    assert talk.heard() == talk.held() == []


async def generate_reply_right_after_ask(talk: Conversation) -> None:
    asked = await talk.ask()
    other = await talk.generate_reply()
    assert [message.heard_text for message in await asked.done()] == [FIRST]
    assert [message.heard_text for message in await other.done()] == [SECOND]


async def generate_reply_right_after_add(talk: Conversation) -> None:
    await talk.session.add("The user is called Ada.", role="system")
    reply = await talk.generate_reply()
    await reply.done()
    orders = [record.type for record in talk.log.received if record.type.endswith("create")]
    assert orders == ["conversation.item.create", "response.create"]


async def leave_right_after_ask(talk: Conversation) -> None:
    """Then nothing is left to come: neither of it, nor for those who wait for it (see `check_invariants`)."""
    await talk.ask()


@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
@pytest.mark.parametrize(
    "app",
    [
        quiet_right_after_ask,
        interrupt_right_after_ask,
        generate_reply_right_after_ask,
        generate_reply_right_after_add,
        leave_right_after_ask,
    ],
)
def test_orders_take_effect_in_the_order_given(
    app: Callable[[Conversation], Awaitable[None]], backend: BackendName
) -> None:
    async def run() -> None:
        async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=Timing()) as talk:
            await app(talk)

    for seed in SEEDS:
        run_virtual(run, backend=backend, seed=seed)


# ---------------------------------------------------------------------------------------------------------- pauses


@pytest.mark.parametrize("before_ms", [50, 150, 250, 350], ids=["requested", "begun", "announced", "generated"])
async def test_pause_before_the_first_audio_holds(before_ms: int) -> None:
    timing = Timing(command_ms=0, created_ms=100, thinking_ms=100, audio_ms=100)
    async with conversation(replies(FIRST), sink=PacedSink(latency_ms=100), timing=timing) as talk:
        reply = await talk.ask()
        await anyio.sleep(before_ms / 1000)
        assert talk.heard() == []
        await talk.session.pause()
        await anyio.sleep(20)
        assert talk.heard() == []
        await talk.session.unpause()
        (message,) = await reply.done()
        assert (message.heard_text, message.interrupted) == (FIRST, False)


async def test_pause_between_two_messages_holds() -> None:
    timing = Timing(between_ms=5000)
    async with conversation(replies([FIRST, SECOND]), sink=PacedSink(), timing=timing) as talk:
        reply = await talk.ask()
        await talk.reaches("message", "full")
        await talk.session.pause()
        await anyio.sleep(20)
        assert [heard_ms for _, heard_ms in talk.heard()] == [length(FIRST)]
        await talk.session.unpause()
        assert [message.heard_text for message in await reply.done()] == [FIRST, SECOND]


@pytest.mark.parametrize("by", ["the app", "the user"])
async def test_an_interruption_ends_the_pause(by: str) -> None:
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=Timing()) as talk:
        await talk.ask()
        await talk.reaches("message", "playing")
        await talk.session.pause()
        await talk.reaches("message", "paused")
        if by == "the app":
            await talk.session.interrupt()
            await talk.ask()
        else:
            await talk.speak()
            await talk.fall_silent()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert talk.said()[-1].heard_text == SECOND


async def test_pause_after_an_interruption_that_the_sink_never_confirms() -> None:
    """There is nothing to hold: it does not make the sink's deadline longer."""
    async with conversation(replies(FIRST), sink=FaultySink(PacedSink(), confirms=False)) as talk:
        await talk.ask()
        await talk.reaches("message", "playing")
        await talk.session.interrupt()
        await talk.reaches("playback", "clearing")
        await talk.session.pause()
        with anyio.fail_after(Deadlines().sink + 0.1):
            await talk.session.quiet()


@pytest.mark.parametrize("steer", [Session.unpause, Session.interrupt])
async def test_paused_when_the_connection_is_lost(steer: Callable[[Session], Awaitable[None]]) -> None:
    """The session plays what it has, so it can be steered; then it ends."""
    steered = anyio.Event()
    async with conversation(replies(FIRST), sink=PacedSink(), reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.reaches("message", "playing")
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.wire.close(1001, "going away")
        await talk.reaches("connection", "closed")
        await steer(talk.session)
        steered.set()
        await anyio.sleep_forever()
    assert steered.is_set()
    assert "1001" in str(talk.failure)
    (reply,) = talk.replies
    assert reply.over
    assert reply.heard_text == (FIRST if steer is Session.unpause else "")


# ------------------------------------------------------------------------------------------------- the user's voice


@pytest.mark.parametrize("end", [Session.clear_audio, Session.commit_audio])
async def test_a_turn_that_the_app_ends_is_over(end: Callable[[Session], Awaitable[None]]) -> None:
    """The server will never say that the user has stopped: a reply is held up no longer than by a server's own."""
    async with conversation(replies(FIRST), sink=PacedSink(), timing=Timing()) as talk:
        await talk.speak()
        await talk.tells(UserStartedSpeaking)
        await end(talk.session)
        reply = await talk.ask()
        with anyio.fail_after(Deadlines().own_reply + 0.5):
            await reply.started()
        assert not talk.log.find("input_audio_buffer.speech_stopped")
        await reply.done()


async def test_stopping_what_waits_leaves_what_is_held(begin: Begin) -> None:
    """The app holds one reply, stops another that waits behind it, and lets the first go on."""
    async with begin(replies(FIRST, SECOND)) as talk:
        first = await talk.ask()
        await talk.sink.play(300)
        second = await talk.ask()
        await talk.log.wait("response.done", 2)
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.session.interrupt(second)
        await talk.reaches("message", "skipped")
        await talk.session.unpause()
        talk.sink.play_all()
        assert [message.interrupted for message in await first.done()] == [False]
        assert await second.done() == []
        await talk.session.quiet()
