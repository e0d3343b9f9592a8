"""Inboxes: how actors hear of one another. One each, typed, bounded, with an urgent lane that is taken first."""

from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class InboxFull(Exception):
    """An actor does not keep up with what it is told; the session ends with this as its cause."""


class _Wake:
    """Put into the channel when something urgent came, so that a waiting receiver wakes up."""


_WAKE = _Wake()


class Inbox(Generic[T]):
    """One actor's inbox over an anyio memory channel.

    `send` and `urgent` return at once and raise InboxFull at `capacity`: an actor that falls so far behind is broken.
    `put` waits for room instead, for apps that send faster than a network takes. What is sent to a closed inbox is
    dropped: its actor has ended. `name` is for errors.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self._sender, self._receiver = anyio.create_memory_object_stream[T | _Wake](capacity)
        self._urgent: deque[T] = deque()
        self._held: T | None = None
        self._waking = False
        self.closed = False

    def send(self, message: T) -> None:
        """Tell it in order."""
        if self.closed:
            return
        try:
            self._sender.send_nowait(message)
        except anyio.WouldBlock:
            raise self._full() from None

    def urgent(self, message: T) -> None:
        """Tell it before everything that is not urgent."""
        if self.closed:
            return
        if len(self._urgent) >= self.capacity:
            raise self._full()
        self._urgent.append(message)
        if not self._waking:
            self._waking = True
            try:
                self._sender.send_nowait(_WAKE)
            except anyio.WouldBlock:
                self._waking = False  # the receiver has enough to wake up for

    async def put(self, message: T) -> None:
        """Tell it in order, waiting for room."""
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._sender.send(message)

    async def receive(self) -> T:
        """The next message. It yields to others only when there is none."""
        while True:
            if self._urgent:
                return self._urgent.popleft()
            if self._held is not None:
                held, self._held = self._held, None
                return held
            try:
                message = self._receiver.receive_nowait()
            except anyio.WouldBlock:
                message = await self._receiver.receive()
            if isinstance(message, _Wake):
                self._waking = False
            elif self._urgent:
                self._held = message
            else:
                return message

    def close(self) -> None:
        self.closed = True
        self._urgent.clear()
        self._sender.close()
        self._receiver.close()

    def _full(self) -> InboxFull:
        return InboxFull(f"the {self.name} actor does not keep up: {self.capacity} messages wait in its inbox")
