"""A websocket of asyncio that gives each message to whoever listens in the turn in which it was read.

What nearly every frame is, a whole message, is found here in a fraction of the time that `websockets` takes to parse
it, and no task has to wake up for it. What nearly every message is that we send, short and with nothing before it that
waits, is written at once. All else is left to `websockets`: handshakes, fragments, pings, breaches of the protocol,
messages while nobody listens, and whatever has to wait.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import broadcast
from websockets.protocol import OPEN
from websockets.typing import Data

from rtactors.providers.base import Frame

_END_OF_RESPONSE = b"\r\n\r\n"
_OPCODE = 0x0F
_BEGINS_MESSAGE = frozenset({0x1, 0x2})
"""The opcodes of text and bytes; those of fragments that follow, and of control frames, are others."""
_WHOLE_TEXT, _WHOLE_BYTES = 0x81, 0x82
"""The first byte of a frame: its opcode, and that it is the last of its message."""
_POSSIBLE = frozenset({0x00, 0x01, 0x02, 0x80, _WHOLE_TEXT, _WHOLE_BYTES, 0x88, 0x89, 0x8A})
"""What else that byte may be: fragments, close, ping, pong."""
_LENGTH_IN_2_BYTES, _LENGTH_IN_8_BYTES = 126, 127
"""What the second byte is, if not the length itself; no server sets its top bit, which says that it is masked."""
_SHORT_BYTES = 2**14
"""Half of what `websockets` lets wait to be written, before it has whoever sends wait."""
_MUCH_BYTES = 2**16
"""More than that was read at once: there may be so much more that nobody else would have a turn."""


class DirectConnection(ClientConnection):
    """Can be listened to. `websockets` gets whole frames from it, but for those that end the connection."""

    def __init__(self, *arguments: Any, max_bytes: int, **options: Any) -> None:  # noqa: ANN401 - they go to the class above
        super().__init__(*arguments, **options)
        self._max_bytes = max_bytes
        self._response_end = b""  # of what came of the server's HTTP response, as long as it is not complete
        self._in_frames = False  # it is
        self._part = bytearray()  # of a frame
        self._unread = 0  # messages that were left to websockets, and not received from there yet
        self._left = False  # whatever comes from now on is left to websockets
        self._listener: _Listener | None = None

    async def recv(self, decode: bool | None = None) -> Data:  # noqa: FBT001 # pyright: ignore[reportIncompatibleMethodOverride] - as it is there, without its overloads
        message = await super().recv(decode)
        self._unread -= 1
        return message

    def send_at_once(self, message: Frame) -> bool:
        """Whether it could be sent without waiting."""
        if self.transport.get_write_buffer_size() or self.transport.is_closing() or self.state is not OPEN:
            return False
        payload = message.encode() if isinstance(message, str) else message
        if len(payload) > _SHORT_BYTES:
            return False
        broadcast([self], payload, text=isinstance(message, str))  # which is sending without waiting
        return True

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        """Have `take` called with each message as it comes, until it returns False.

        It is called outside of any task, in the context of this one. Raises what `take` raises, and ConnectionClosed.
        """
        while True:
            while self._unread or self._left:
                if not take(await self.recv()):
                    return
            listener = self._listener = _Listener(take)
            try:
                await listener.woken
            finally:
                self._listener = None
                if listener.error:
                    raise listener.error
            if listener.has_enough:
                return

    def data_received(self, data: bytes) -> None:
        if len(data) > _MUCH_BYTES:
            self._let_others_run()
        if not self._in_frames:
            data = self._behind_response(data)
        if self._in_frames and self.protocol.state is not OPEN:  # the body of a refusal, or behind a close
            self._leave_the_rest()
            super().data_received(bytes(self._part) + data)
            self._part.clear()
        elif self._part:
            self._part += data
            del self._part[: self._take_frames(self._part)]
        elif (end := self._take_frames(data)) < len(data):
            self._part += data[end:]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leave_the_rest()

    def _let_others_run(self) -> None:
        """By itself uvloop reads on in the same turn for as long as there is something, up to 8 MB."""
        self.transport.pause_reading()
        self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not (self.transport.is_closing() or self.recv_messages.paused):  # else websockets says when
            self.transport.resume_reading()

    def _behind_response(self, data: bytes) -> bytes:
        """What is not the server's HTTP response any more: it may send the first frames right behind it."""
        seen = self._response_end + data
        end = seen.find(_END_OF_RESPONSE) + len(_END_OF_RESPONSE)
        self._in_frames = end >= len(_END_OF_RESPONSE)
        if not self._in_frames:
            end = len(seen)
        super().data_received(seen[len(self._response_end) : end])
        self._response_end = seen[1 - len(_END_OF_RESPONSE) :]
        return seen[end:]

    def _take_frames(self, data: bytes | bytearray) -> int:
        """Give away all that are complete; how many bytes they were."""
        at, size = 0, len(data)
        while size - at > 1:
            first, length = data[at], data[at + 1]
            begin = at + 2
            if length >= _LENGTH_IN_2_BYTES:
                begin += 2 if length == _LENGTH_IN_2_BYTES else 8
                if length > _LENGTH_IN_8_BYTES:
                    break
                if begin > size:
                    return at
                length = int.from_bytes(data[at + 2 : begin])
            if self.protocol.state is not OPEN or first not in _POSSIBLE or length > self._max_bytes:
                break
            end = begin + length
            if end > size:
                return at
            if self._listener is None or not self._listener.tell(first, data[begin:end]):
                self._leave(first, data[at:end])
            at = end
        else:
            return at
        self._leave_the_rest()
        super().data_received(bytes(data[at:]))
        return size

    def _leave(self, first: int, frame: bytes | bytearray) -> None:
        if first & _OPCODE in _BEGINS_MESSAGE:
            self._unread += 1
            if self._listener:
                self._listener.wake()
        super().data_received(bytes(frame))

    def _leave_the_rest(self) -> None:
        self._left = True
        if self._listener:
            self._listener.wake()


class _Listener:
    """Who is told of a message as it comes, until `woken`: because of an `error`, to listen no more, or to receive."""

    def __init__(self, take: Callable[[Frame], bool]) -> None:
        self._take = take
        self._context = _context_of_task()
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_enough = False
        self.error: Exception | None = None

    def tell(self, first: int, payload: bytes | bytearray) -> bool:
        """Whether it was for this listener, and was taken."""
        if self.woken.done():
            return False
        if first == _WHOLE_TEXT:
            try:
                message = payload.decode()
            except UnicodeDecodeError:
                return False
        elif first == _WHOLE_BYTES:
            message = bytes(payload)
        else:
            return False
        try:
            self.has_enough = not self._context.run(self._take, message)
        except Exception as error:  # noqa: BLE001 - it is not the event loop's: whoever listens raises it
            self.error = error
        if self.has_enough or self.error:
            self.wake()
        return True

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


def _context_of_task() -> Context:
    """In it anyio knows where it runs, which it otherwise finds out by the task."""
    context = copy_context()
    with suppress(ImportError):  # then it asks for the event loop only
        from sniffio import current_async_library_cvar  # noqa: PLC0415 - anyio has it, or does without

        context.run(current_async_library_cvar.set, "asyncio")
    return context
