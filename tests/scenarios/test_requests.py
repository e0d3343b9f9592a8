"""Replies that are asked for, refused, given up, late, or asked for by somebody else; functions that are called."""

from functools import partial
from typing import Any

import anyio
import pytest

from rtactors import ReplyFailed, Session, SessionClosed, events
from rtactors.actors.context import CALL_CANCELLED
from rtactors.limits import Deadlines
from rtactors.loopback.faults import ALWAYS, Faults, hold, ignore
from rtactors.loopback.script import IMMEDIATE, Call, Gate, Reply, Say, Timing, replies
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Frame
from rtactors.session_events import FunctionCalled, UserSaid
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import Conversation, conversation, speech
from rtactors.transports.base import Socket
from tests.scenarios.by_hand import Json, ServerByHand
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, length

pytestmark = pytest.mark.anyio

SLOW_START = Timing(command_ms=0, created_ms=1500, thinking_ms=0, between_ms=0, audio_ms=0, speed=float("inf"))


def somebody_else(talk: Conversation, command: events.Command) -> None:
    """With whom we share the connection, asks for something that a session has no words for."""
    talk.session._actors.transport.inbox.send(command)  # pyright: ignore[reportPrivateUsage] past the session


async def test_d10_response_outside_of_the_conversation(begin: Begin) -> None:
    """It overlaps the default one, has audio of its own, and leaves nothing."""
    gate, other = Gate(), Gate()
    script = replies(
        Reply(outputs=(Say(text=FIRST, gate=gate, gate_ms=600),)),
        Reply(outputs=(Say(text="Not for these ears.", gate=other, gate_ms=300), Call(name="note"))),
    )
    async with begin(script) as talk:
        reply = await talk.ask()
        await talk.sink.play(300)
        somebody_else(talk, events.CreateResponse("elsewhere-1", events.ResponseOptions(out_of_band=True)))
        await other.reached.wait()
        gate.open()
        other.open()
        await talk.sink.play(length(FIRST) - 300)
        await reply.done()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_text, message.interrupted) == (FIRST, False)
        assert talk.held() == talk.heard() == [(message.id, length(FIRST))]
        assert [item.kind for item in talk.session.history] == ["message", "message"]


async def test_d10_interruption_leaves_the_one_outside_alone(begin: Begin) -> None:
    gate, other = Gate(), Gate()
    script = replies(
        Reply(outputs=(Say(text=FIRST, gate=gate, gate_ms=600),)),
        Reply(outputs=(Say(text="Not for these ears.", gate=other, gate_ms=300),)),
    )
    async with begin(script) as talk:
        await talk.ask()
        await talk.sink.play(300)
        somebody_else(talk, events.CreateResponse("elsewhere-1", events.ResponseOptions(out_of_band=True)))
        await other.reached.wait()
        await talk.session.interrupt()
        await talk.log.wait("response.done")
        other.open()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 300)]
        first_id = talk.log.find("response.created")[0].json["response"]["id"]
        assert [cancel["response_id"] for cancel in talk.sent("response.cancel")] == [first_id]
        assert [done.json["response"]["status"] for done in talk.log.find("response.done")] == [
            "cancelled",
            "completed",
        ]


async def test_d13_reply_given_up_while_another_is_active(begin: Begin) -> None:
    gate = Gate()
    async with begin(replies(Say(text=FIRST, gate=gate, gate_ms=600), SECOND)) as talk:
        first = await talk.ask()
        await first.started()
        second = await talk.generate_reply()
        await talk.session.interrupt(second)
        with pytest.raises(ReplyFailed):
            await second.done()
        gate.open()
        talk.sink.play_all()
        await first.done()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_text, message.interrupted) == (FIRST, False)
        assert talk.held() == talk.heard() == [(message.id, length(FIRST))]
        assert not talk.sent("response.cancel")
        assert len(talk.sent("response.create")) == 1


async def test_d13_reply_given_up_begins_all_the_same(begin: Begin) -> None:
    """It was asked for already. It is cancelled by its id when it begins, and the next one is not."""
    late = Gate()
    script = replies(Say(text=FIRST, gate=Gate(), gate_ms=600), SECOND)
    async with begin(script, faults=Faults(hold("response.created", late))) as talk:
        first = await talk.ask()
        await talk.log.wait("response.create")
        await talk.session.interrupt(first)
        with pytest.raises(ReplyFailed):
            await first.done()
        late.open()
        await talk.log.wait("response.done")
        talk.sink.play_all()
        second = await talk.generate_reply()
        await second.done()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_text, message.interrupted) == (SECOND, False)
        assert talk.held() == talk.heard() == [(message.id, length(SECOND))]
        first_id = talk.log.find("response.created")[0].json["response"]["id"]
        assert [cancel["response_id"] for cancel in talk.sent("response.cancel")] == [first_id]


@pytest.mark.parametrize("refused", ["at once", "after the other was done"])
async def test_d22_busy_server(begin: Begin, refused: str) -> None:
    """With a response that we don't know of: our request is refused, waits, and is sent again."""
    gate, late = Gate(), Gate()
    script = replies(
        Reply(outputs=(Say(text=FIRST, gate=gate),), timing=SLOW_START), Reply(outputs=(Say(text=SECOND),))
    )
    faults = Faults(hold("error", late, times=ALWAYS)) if refused != "at once" else Faults()
    async with begin(script, faults=faults) as talk:
        talk.sink.play_all()
        somebody_else(talk, events.CreateResponse("elsewhere-1"))
        await talk.log.wait("response.create")
        reply = await talk.ask("And what about this?")
        await talk.log.wait("response.create", 2)
        await gate.reached.wait()
        gate.open()
        await talk.log.wait("response.done")
        late.open()
        await reply.done()
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND]
        assert talk.held() == talk.heard()


async def test_d22_reply_after_a_function_call_waits(begin: Begin) -> None:
    """The function's output is there before the response that called it is done."""
    gate = Gate()
    script = replies([FIRST, Call(name="weather", arguments='{"city": "Oslo"}'), Say(text=SECOND, gate=gate)], THIRD)
    async with begin(script) as talk:
        talk.sink.play_all()
        first = await talk.ask()
        call = await talk.tells(FunctionCalled)
        assert (call.name, call.arguments) == ("weather", '{"city": "Oslo"}')
        await talk.session.answer_call(call.call_id, "rain")
        second = await talk.generate_reply()
        await talk.log.wait("conversation.item.create", 2)
        gate.open()
        await first.done()
        await second.done()
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND, THIRD]
        assert talk.held() == talk.heard()
        assert [(item.kind, item.output) for item in talk.session.history if item.call_id] == [
            ("function_call", ""),
            ("function_call_output", "rain"),
        ]
        assert not talk.log.find("error")


async def test_d4_second_response_is_interrupted_before_it_may_speak(begin: Begin) -> None:
    """The first is still being heard. Of the second's calls one had been complete: its turn never came."""
    gate = Gate()
    second = [SECOND, Call(name="weather"), THIRD, Call(name="pay", arguments='{"amount": 1000000}', gate=gate)]
    async with begin(replies(FIRST, second)) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        queued = await talk.generate_reply()
        await gate.reached.wait()
        await talk.session.interrupt()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 300)]
        assert await queued.done() == []
        names = {item.call_id: item.name for item in talk.items() if item.name}
        answers = {names[item.call_id]: item.output for item in talk.items() if item.output}
        assert answers == {"weather": CALL_CANCELLED, "pay": CALL_CANCELLED}
    assert not [event for event in talk.events if isinstance(event, FunctionCalled)]


async def test_d4_call_of_a_response_that_waits_has_its_turn(begin: Begin) -> None:
    """It runs when what is said before it was heard, and not before."""
    async with begin(replies(FIRST, [Call(name="weather"), SECOND])) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        queued = await talk.generate_reply()
        await talk.log.wait("response.done", 2)
        assert not [event for event in talk.events if isinstance(event, FunctionCalled)]
        talk.sink.play_all()
        call = await talk.tells(FunctionCalled)
        assert len(talk.said()) == 1
        await talk.session.answer_call(call.call_id, "rain")
        assert [message.heard_text for message in await queued.done()] == [SECOND]
        await talk.session.quiet()
        assert [(item.name or item.output) for item in talk.items() if item.call_id] == ["weather", "rain"]


async def test_d4_call_of_a_response_that_is_nothing_else(begin: Begin) -> None:
    """It has settled long before its call has its turn."""
    async with begin(replies(FIRST, [Call(name="weather")])) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        queued = await talk.generate_reply()
        assert await queued.done() == []
        await talk.session.interrupt()
        await talk.session.quiet()
        assert [item.output for item in talk.items() if item.output] == [CALL_CANCELLED]
    assert not [event for event in talk.events if isinstance(event, FunctionCalled)]


async def test_d14_call_that_was_cut_off_does_not_run(begin: Begin) -> None:
    gate = Gate()
    script = replies([FIRST, Call(name="pay", arguments='{"amount": 1000000}', gate=gate)])
    async with begin(script) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await gate.reached.wait()
        await talk.session.interrupt()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 500)]
        call, output = [item for item in talk.items() if item.call_id]
        assert (call.type, call.status, output.call_id) == ("function_call", "incomplete", call.call_id)
        assert "cancelled" in output.output
    assert not [event for event in talk.events if isinstance(event, FunctionCalled)]


async def test_d14_call_that_was_cut_off_is_told_to_no_other_server(begin: Begin) -> None:
    """What it was about to be stands in no history any more, and neither does the answer to it."""
    gate = Gate()
    script = replies([Call(name="pay", arguments='{"amount": 1000000}', gate=gate)])
    async with begin(script) as talk:
        await talk.ask("Pay!")
        await gate.reached.wait()
        await talk.session.interrupt()
        await talk.reaches("item", "creating")
        await talk.session.quiet()
        await talk.wire.close(1001, "bye")
        await talk.connected(2)
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["Pay!"]


async def test_e11_what_the_user_said_comes_late_and_twice(begin: Begin) -> None:
    """Two turns before the reply, whose transcripts come in the wrong order, and again."""
    async with begin(replies(FIRST), provider={"turn_detection": None}) as talk:
        talk.sink.play_all()
        for _ in range(2):
            await talk.session.send_audio(bytes(48 * 200))
            await talk.session.commit_audio()
        await talk.log.wait("conversation.item.done", 2)
        reply = await talk.generate_reply()
        await reply.done()
        one, two = [item.id for item in talk.items("user")]
        for item_id, text in ((two, "The second turn."), (one, "The first turn."), (two, "The second turn.")):
            kind = "conversation.item.input_audio_transcription.completed"
            said = {"type": kind, "event_id": "e", "item_id": item_id, "content_index": 0, "transcript": text}
            talk.wire.inject(said)
        await talk.tells(UserSaid, 3)
        await talk.session.quiet()
        assert [(item.id, item.heard_text) for item in talk.session.history] == [
            (one, "The first turn."),
            (two, "The second turn."),
            (talk.said()[0].id, FIRST),
        ]
        assert [item.id for item in talk.items()] == [item.id for item in talk.session.history]
        assert talk.held() == talk.heard()


async def test_e12_nothing_comes(begin: Begin) -> None:
    """The request got lost. Its deadline ends it, and the next one is sent."""
    faults = Faults(ignore("response.create"))
    async with begin(replies(FIRST), faults=faults, deadlines=Deadlines(start=0.7)) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        with pytest.raises(ReplyFailed, match="did not start it in time"):
            await reply.done()
        assert talk.said() == []
        again = await talk.generate_reply()
        await again.done()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, length(FIRST))]


async def test_e12_it_comes_late_and_leaves_nothing(begin: Begin) -> None:
    """Also if it collides with the next one."""
    script = replies(
        Reply(outputs=(Say(text=FIRST),), timing=SLOW_START), Reply(outputs=(Say(text=SECOND),), timing=IMMEDIATE)
    )
    async with begin(script, deadlines=Deadlines(start=0.7)) as talk:
        talk.sink.play_all()
        late = await talk.ask()
        with pytest.raises(ReplyFailed, match="did not start it in time"):
            await late.done()
        reply = await talk.generate_reply()  # refused while the late one is in the making
        await reply.done()
        await talk.session.quiet()
        (message,) = talk.said()
        assert message.heard_text == SECOND
        assert talk.held() == talk.heard() == [(message.id, length(SECOND))]


class Slow:
    """A network through which nothing goes out until the gate is open."""

    def __init__(self, socket: Socket, gate: Gate) -> None:
        self._socket = socket
        self._gate = gate

    async def send(self, frame: Frame) -> None:
        if "session.update" not in str(frame):
            await self._gate.passed()
        await self._socket.send(frame)

    async def receive(self) -> Frame:
        return await self._socket.receive()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)


async def test_reply_to_a_turn_is_asked_for_behind_it(begin: Begin) -> None:
    """Without turn detection, over a slow network: the model is not asked before it has heard the user."""
    gate = Gate()
    async with begin(replies(FIRST), provider={"turn_detection": None}, network=partial(Slow, gate=gate)) as talk:
        talk.sink.play_all()

        async def speak() -> None:
            for _ in range(10):
                await talk.session.send_audio(bytes(48 * 50))
            await talk.session.commit_audio()
            await talk.generate_reply()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak)
            await gate.reached.wait()
            gate.open()
        await talk.replies[0].done()
        await talk.session.quiet()
        order = [record.type for record in talk.log.received if "session" not in record.type]
        assert order == ["input_audio_buffer.append"] * 10 + ["input_audio_buffer.commit", "response.create"]
        assert [item.role for item in talk.items()] == ["user", "assistant"]
        assert talk.held() == talk.heard() == [(talk.said()[0].id, length(FIRST))]


async def test_turn_that_the_connection_did_not_outlive(begin: Begin) -> None:
    """Who commits it is not left waiting."""
    gate = Gate()
    manual, slow = {"turn_detection": None}, partial(Slow, gate=gate)
    options: dict[str, Any] = {"network": slow, "deadlines": Deadlines(close=0.1)}  # it never lets go
    async with begin(replies(FIRST), provider=manual, reconnect=None, raises=SessionClosed, **options) as talk:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk.session.send_audio, bytes(4800))
            await gate.reached.wait()
            tasks.start_soon(talk.session.commit_audio)
            await talk.wire.close(1001, "bye")
        await anyio.sleep_forever()


async def test_the_user_is_answered_though_the_server_was_busy() -> None:
    """They speak as a reply is asked for: it is not wanted any more, but still in the way of the server's own.

    The server says so once and leaves it at that: then it is asked.
    """
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=Timing()) as talk:
        await talk.session.send_audio(speech(200))
        unwanted = await talk.ask()
        await talk.log.wait("response.create")
        await talk.session.send_audio(bytes(48_000))
        with pytest.raises(ReplyFailed, match="interrupted before the server started it"):
            await unwanted.done()
        await talk.log.wait("error")
        await talk.session.quiet()
        (error,) = talk.log.find("error")
        assert error.json["error"]["code"] == "conversation_already_has_active_response"
        assert [item.heard_text for item in talk.said()] == [SECOND]
        assert [item.role for item in talk.session.history] == ["user", "user", "assistant"]
        assert len(talk.sent("response.create")) == 2


async def test_the_user_speaks_on_after_the_server_was_busy() -> None:
    """What it answers by itself then answers both: nobody asks any more."""
    async with conversation(replies(FIRST, SECOND, THIRD), sink=PacedSink(), timing=Timing()) as talk:
        await talk.session.send_audio(speech(200))
        await talk.ask()
        await talk.log.wait("response.create")
        await talk.fall_silent()
        await talk.log.wait("error")
        await talk.speak()
        await talk.log.wait("response.done")
        await talk.fall_silent()
        await talk.log.wait("response.done", 2)
        await talk.time_passes(5)
        await talk.session.quiet()
        assert [item.heard_text for item in talk.said()] == [SECOND]
        assert len(talk.sent("response.create")) == 1


async def test_d22_what_the_server_is_busy_with_may_be_known() -> None:
    """It began a response by itself as we asked for ours. Ours is asked for again when that is over, and not before."""
    server = ServerByHand()
    async with Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect) as session:
        reply = await session.generate_reply()
        request = await server.receive("response.create")
        own: Json = {"id": "resp_own", "status": "in_progress", "conversation_id": "conv_1", "metadata": {}}
        await server.say("response.created", response=own)
        error = {
            "type": "invalid_request_error",
            "code": "conversation_already_has_active_response",
            "message": "Busy.",
        }
        await server.say("error", error={**error, "param": None, "event_id": request["event_id"]})
        assert not [event for event in await server.take() if event["type"] == "response.create"]
        await server.say("response.done", response={**own, "status": "completed", "output": []})
        request = await server.receive("response.create")
        await server.begin(request)
        await server.say("response.done", response={"id": "resp_1", "status": "completed", "output": []})
        await reply.done()
