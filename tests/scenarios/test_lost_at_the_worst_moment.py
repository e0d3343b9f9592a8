"""A connection is lost at moments that last no longer than a message between two actors.

In virtual time only: over sockets nobody could say when such a moment is.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Generic, TypeVar

import pytest
from anyio.lowlevel import checkpoint

from rtactors.loopback.script import Gate, Say, replies
from rtactors.providers.base import Frame
from rtactors.session_events import ConnectionChanged, MessageAnnounced
from rtactors.testing.conversation import conversation, speech
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.memory import MemorySocket

pytestmark = pytest.mark.anyio

FIRST, SECOND = "This is the first message.", "And here is the second."
BY_HAND = {"turn_detection": None}
LIMIT = "Your session hit the maximum duration of 60 minutes."
LIMIT_S = 1200.0

LineT = TypeVar("LineT", bound="Line")


class Line:
    """One connection's socket, the `number`th; nothing happens to it."""

    def __init__(self, socket: Socket, number: int) -> None:
        assert isinstance(socket, MemorySocket)
        self.socket = socket
        self.number = number

    async def send(self, frame: Frame) -> None:
        await self.socket.send(frame)

    async def receive(self) -> Frame:
        return await self.socket.receive()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.socket.close(code, reason)


class Lines(Generic[LineT]):
    """All connections of a conversation, each of which is made by `kind`."""

    def __init__(self, kind: Callable[[Socket, int], LineT]) -> None:
        self.all: list[LineT] = []
        self._kind = kind

    def __call__(self, socket: Socket) -> LineT:
        self.all.append(self._kind(socket, len(self.all) + 1))
        return self.all[-1]


def set_up(frame: Frame) -> bool:
    return b'"session.updated"' in (frame if isinstance(frame, bytes) else frame.encode())


class LostOnceSetUp(Line):
    """The second one is lost as soon as it is there; the user `speaks` as soon as the third one is."""

    ready = False

    def __init__(self, socket: Socket, number: int, speaks: Callable[[], Awaitable[None]]) -> None:
        super().__init__(socket, number)
        self._speaks = speaks

    async def receive(self) -> Frame:
        if self.ready and self.number == 2:
            await self.socket.close()
            raise SocketClosed(None, "it broke off")
        frame = await self.socket.receive()
        self.ready = set_up(frame)
        if self.ready and self.number == 3:
            await self._speaks()
        return frame


async def test_lost_before_the_history_was_told() -> None:
    """What the context actor has told of the second server is nothing of the third: no word is sent twice."""

    async def speaks() -> None:
        await talk.session.send_audio(speech(200))

    lines = Lines(partial(LostOnceSetUp, speaks=speaks))
    async with conversation(replies(FIRST), provider=BY_HAND, network=lines) as talk:
        talk.sink.play_all()
        await talk.session.add("Hello.")
        await talk.session.quiet()
        await talk.wire.close(1001, LIMIT)
        await talk.connected(3)
        await talk.session.commit_audio()
        await (await talk.generate_reply()).done()
        await talk.session.quiet()
        assert [(item.role, item.text, item.audio_ms) for item in talk.items("user")] == [
            ("user", "Hello.", 0),
            ("user", "", 200),
        ]


class TellsOfItsEnd(Line):
    """When the first one is closed, `then` happens."""

    def __init__(self, socket: Socket, number: int, then: Callable[[], Awaitable[None]]) -> None:
        super().__init__(socket, number)
        self._then = then

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self.number == 1:
            await self._then()
        await super().close(code, reason)


async def test_next_connection_is_lost_as_it_takes_over() -> None:
    """However long the session has lasted, that is the beginning of the loss."""

    async def then() -> None:
        await lines.all[1].socket.close()

    lines = Lines(partial(TellsOfItsEnd, then=then))
    async with conversation(replies(FIRST), session_limit_s=LIMIT_S, provider=BY_HAND, network=lines) as talk:
        talk.sink.play_all()
        await talk.connected(2)
        assert [message.heard_text for message in await (await talk.ask()).done()] == [FIRST]
    states = [event.state for event in talk.events if isinstance(event, ConnectionChanged)]
    assert states[2:5] == ["prepared", "changing", "reconnecting"], states


class TakesNothingLong(Line):
    async def send(self, frame: Frame) -> None:
        if len(frame) > 1 << 20 and self.number == 1:
            self.socket.drop()
            raise SocketClosed(None, "it broke off")
        await self.socket.send(frame)


async def test_lost_with_the_first_of_several_frames() -> None:
    """15 MiB of audio fit into one."""
    async with conversation(replies(FIRST), provider=BY_HAND, network=Lines(TakesNothingLong)) as talk:
        talk.sink.play_all()
        await talk.session.send_audio(bytes(16 << 20))
        await talk.connected(2)
        assert [message.heard_text for message in await (await talk.ask()).done()] == [FIRST]


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_interrupted_while_the_rest_is_asked_for(turns: int) -> None:
    """Whatever the request is doing at that moment: a reply that was stopped is not asked for again."""
    gate, out_of_order = Gate(), True

    def admit(connection: int) -> HTTPStatus | None:
        return HTTPStatus.SERVICE_UNAVAILABLE if connection > 1 and out_of_order else None

    script = replies([Say(text=FIRST, gate=gate, gate_ms=600)], SECOND)
    async with conversation(script, provider=BY_HAND, admit=admit) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.sink.play(300)
        await talk.wire.close(1001, LIMIT)
        await talk.reaches("link", "reconnecting")
        talk.sink.play_all()
        for _ in range(turns):
            await checkpoint()
        await talk.session.interrupt(reply)
        out_of_order = False
        await talk.connected(2)
        await talk.session.quiet()
        assert reply.over
        assert not talk.sent("response.create")
        assert [item.heard_text for item in talk.said()] == ["This is"]


async def test_all_is_interrupted_while_the_rest_waits() -> None:
    """A reply that was being said does not go on later; it has ended as others do that are interrupted."""
    gate, out_of_order = Gate(), True

    def admit(connection: int) -> HTTPStatus | None:
        return HTTPStatus.SERVICE_UNAVAILABLE if connection > 1 and out_of_order else None

    script = replies([Say(text=FIRST, gate=gate, gate_ms=600)], SECOND)
    async with conversation(script, provider=BY_HAND, admit=admit) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.wire.close(1001, LIMIT)
        await talk.time_passes(1)
        another = await talk.ask("And then?")
        await talk.session.interrupt()
        out_of_order = False
        assert len(await reply.done()) == 1
        assert (reply.status, reply.interrupted) == ("cancelled", True)
        assert [message.heard_text for message in await another.done()] == [SECOND]
        await talk.session.quiet()
        assert len(talk.sent("response.create")) == 1


async def test_removed_while_it_is_heard() -> None:
    """The next server never heard of it, and is told nothing."""
    async with conversation(replies(FIRST), provider=BY_HAND) as talk:
        reply = await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(300)
        await talk.wire.close(1001, LIMIT)
        await talk.connected(2)
        message_id = (await talk.tells(MessageAnnounced)).message_id
        talk.removed.add(message_id)
        await talk.session.remove(message_id)
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert [item.role for item in talk.items()] == ["user"]
