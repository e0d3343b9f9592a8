"""A pair of sockets in memory that behaves as a websocket between two sides does.

For tests in virtual time, and for a server that lives in the same process.
"""

from collections import deque

import anyio
from anyio.lowlevel import checkpoint

from rtactors.providers.base import Frame
from rtactors.transports.base import SocketClosed


def socket_pair(capacity: int = 64) -> "tuple[MemorySocket, MemorySocket]":
    """Two sockets connected to one another. Each way holds `capacity` frames; while it is full, `send` waits."""
    link = _Link(capacity)
    one_way: deque[Frame] = deque()
    other_way: deque[Frame] = deque()
    return MemorySocket(link, one_way, other_way), MemorySocket(link, other_way, one_way)


class _Link:
    """What both sides share: how much fits in, whether it is closed and why, and a bell for whoever waits."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.closed: tuple[int | None, str] | None = None
        self._bell = anyio.Event()

    def ring(self) -> None:
        self._bell.set()
        self._bell = anyio.Event()

    async def wait(self) -> None:
        await self._bell.wait()


class MemorySocket:
    """One side of a `socket_pair`. What was sent before a close is still received after it, on both sides."""

    def __init__(self, link: _Link, incoming: deque[Frame], outgoing: deque[Frame]) -> None:
        self._link = link
        self._incoming = incoming
        self._outgoing = outgoing

    async def send(self, frame: Frame) -> None:
        await checkpoint()
        while not self._link.closed and len(self._outgoing) >= self._link.capacity:
            await self._link.wait()
        if self._link.closed:
            raise SocketClosed(*self._link.closed)
        self._outgoing.append(frame)
        self._link.ring()

    async def receive(self) -> Frame:
        await checkpoint()
        while not self._incoming:
            if self._link.closed:
                raise SocketClosed(*self._link.closed)
            await self._link.wait()
        self._link.ring()
        return self._incoming.popleft()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._link.closed = self._link.closed or (code, reason)
        self._link.ring()
        await checkpoint()

    def drop(self, reason: str = "the connection broke off") -> None:
        """Break the connection as a network does: no close frame, and what is under way is lost, in both directions."""
        self._link.closed = self._link.closed or (None, reason)
        self._incoming.clear()
        self._outgoing.clear()
        self._link.ring()
