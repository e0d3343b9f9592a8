"""The socket protocol: one open websocket, or anything that behaves like one (an in-memory pair in tests)."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, runtime_checkable

from rtactors.providers.base import Endpoint, Frame


class SocketClosed(Exception):
    """The other side, or the network, ended the connection."""

    def __init__(self, code: int | None, reason: str) -> None:
        how = "was lost" if code is None else f"was closed (code {code})"
        super().__init__(f"the connection {how}: {reason or 'no reason given'}")
        self.code = code
        """The websocket close code; None if there was no close frame (the network broke)."""
        self.reason = reason


class Socket(Protocol):
    async def send(self, frame: Frame) -> None:
        """Raises SocketClosed."""
        ...

    async def receive(self) -> Frame:
        """The next whole message. Raises SocketClosed."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


@runtime_checkable
class ListeningSocket(Socket, Protocol):
    """One that can do without a task that wakes up for each message."""

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        """Have `take` called with each whole message as it comes, until it returns False.

        It is called outside of any task, so that it may do all but wait. Cancelled, this has lost nothing; then, and
        before, messages can be received. Raises SocketClosed, and what `take` raises.
        """
        ...


async def listen(socket: Socket, take: Callable[[Frame], bool]) -> None:
    """Have `take` called with each message that comes to any socket, in the way that costs least."""
    if isinstance(socket, ListeningSocket):
        await socket.listen(take)
    else:
        while take(await socket.receive()):
            pass


Connect: TypeAlias = Callable[[Endpoint], AbstractAsyncContextManager[Socket]]
"""Opens a socket; raises `rtactors.errors.ConnectionFailed` with a sentence that says what to do."""
