"""A pair of sockets in memory, for conversations in virtual time: what one sends the other receives, at once."""

from typing import Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from rtactors.providers.base import Frame
from rtactors.transports.base import SocketClosed

CAPACITY = 256
"""Frames that may be under way in one direction; then `send` waits."""


class MemorySocket:
    """One end; `cut` is for servers, see `outbox.ServerSocket`."""

    def __init__(self, outgoing: MemoryObjectSendStream[Frame], incoming: MemoryObjectReceiveStream[Frame]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._ended: SocketClosed | None = None
        self._peer = self

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        there, here = (anyio.create_memory_object_stream[Frame](CAPACITY) for _ in range(2))
        client, server = cls(there[0], here[1]), cls(here[0], there[1])
        client._peer, server._peer = server, client
        return client, server

    async def send(self, frame: Frame) -> None:
        try:
            await self._outgoing.send(frame)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise self._reason() from None

    async def receive(self) -> Frame:
        try:
            return await self._incoming.receive()
        except (anyio.ClosedResourceError, anyio.EndOfStream):
            raise self._reason() from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._end(SocketClosed(code, reason))

    async def cut(self, frame: str, at_byte: int) -> None:
        """Half a frame is no frame: nothing of it arrives."""
        del frame, at_byte
        self._end(SocketClosed(None, "the network broke"))

    def _end(self, reason: SocketClosed) -> None:
        for end in (self, self._peer):
            end._ended = end._ended or reason
            end._outgoing.close()
        self._incoming.close()

    def _reason(self) -> SocketClosed:
        ended = self._ended or SocketClosed(None, "")
        return SocketClosed(ended.code, ended.reason)
