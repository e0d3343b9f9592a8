"""The socket protocol: one open websocket, or anything that behaves like one (an in-memory pair in tests)."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

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


Connect: TypeAlias = Callable[[Endpoint], AbstractAsyncContextManager[Socket]]
"""Opens a socket; raises `rtactors.errors.ConnectionFailed` with a sentence that says what to do."""
