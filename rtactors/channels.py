"""Inboxes: how actors hear of one another. One each, typed, bounded, with an urgent lane that is taken first."""

from typing import Generic, Protocol, TypeVar

import anyio

from rtactors.errors import LimitReached

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_contra]):
    """Who receives, and can take what is handed over while it waits."""

    ended: bool
    """True once it needs nothing more."""

    def handle(self, message: T_contra) -> None: ...


class ReceiverEnded(Exception):
    """The receiver needs nothing more, since it handled what was handed over."""


class InboxFull(LimitReached):
    """An actor does not keep up with what it is told; the session ends with this as its cause."""


class Inbox(Generic[T]):
    """One actor's inbox: many may tell it something, one receives.

    `send` and `urgent` return at once and raise InboxFull at `capacity`: an actor that falls so far behind is broken.
    `put` waits for room instead, for apps that send faster than a network takes, and `deliver` until the message was
    taken; `hand` lets an idle actor take it at once. What is sent to a closed inbox is dropped: its actor has ended.
    `name` is for errors.
    """

    __slots__ = (
        "_news",
        "_raised",
        "_receiver",
        "_room",
        "_sent",
        "_urgent",
        "capacity",
        "closed",
        "name",
        "was_urgent",
    )

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.closed = False
        self.was_urgent = False
        """Whether what was received last had been urgent."""
        self._sent: list[T] = []  # mostly empty, and there are many: a deque takes 700 bytes more
        self._urgent: list[T] = []
        self._news: anyio.Event | None = None  # there only while somebody waits for it
        self._room: anyio.Event | None = None  # the same
        self._receiver: Receiver[T] | None = None  # if it takes what is handed over
        self._raised: Exception | None = None  # by what was handed over: the receiver's to raise

    def send(self, message: T) -> None:
        """Tell it in order."""
        self._add(self._sent, message)

    def urgent(self, message: T) -> None:
        """Tell it before everything that is not urgent."""
        self._add(self._urgent, message)

    def hand(self, message: T) -> None:
        """Tell it in order; an actor that waits handles it before this returns.

        For what comes often, or is not to be overtaken by what its sender tells others next (decision 0025).
        The sender must have nothing left to tell anybody that has to come before what the actor tells them.
        """
        news, receiver = self._news, self._receiver
        if news is None or receiver is None:
            self._add(self._sent, message)
            return
        self._news = None  # it is at work: what it is told meanwhile waits
        self.was_urgent = False
        try:
            receiver.handle(message)
        except Exception as error:  # noqa: BLE001 - it is not the sender's: `receive` raises it
            self._raised = error
        if receiver.ended:
            self._raised = self._raised or ReceiverEnded()
        if self._raised or self._sent or self._urgent:
            news.set()
        else:
            self._news = news

    def offer(self, message: T, most: int) -> bool:
        """Tell it in order, unless `most` wait there already; whether there was room."""
        if not self.has_room(most):
            return False
        self.send(message)
        return True

    def has_room(self, most: int) -> bool:
        """Whether fewer than `most` wait in order."""
        return len(self._sent) < most

    async def put(self, message: T, most: int | None = None) -> None:
        """Tell it in order, waiting for room; `most` is what may wait there already, if that is not its capacity."""
        await self.room(self.capacity if most is None else most)
        self.send(message)

    async def room(self, most: int) -> None:
        """Wait until it has room for one that is not to wait behind `most` others."""
        while not (self.has_room(most) or self.closed):
            await self._one_was_taken()

    async def deliver(self, message: T) -> None:
        """Tell it in order, and wait until it was taken: nothing that is urgent from then on overtakes it."""
        await self.put(message)
        await self.taken()

    async def taken(self) -> None:
        """Wait until all was taken that waits in order now."""
        newest = self._sent[-1] if self._sent else None
        while any(each is newest for each in self._sent):
            await self._one_was_taken()

    async def receive(self) -> T:
        """The next message. Waits, and so lets others run, only if there is none.

        Raises what the receiver raised on a message that was handed over, or ReceiverEnded if that was its last.
        """
        while self.empty or self._raised:
            if self._raised:
                raise self._raised
            self._news = anyio.Event()
            await self._news.wait()
        self.was_urgent = bool(self._urgent)
        if self.was_urgent:
            return self._urgent.pop(0)
        if self._room is not None:
            self._room.set()
            self._room = None
        return self._sent.pop(0)

    def take_at_once(self, receiver: Receiver[T]) -> None:
        """From now on let the one who receives handle what is handed over while it waits."""
        self._receiver = receiver

    @property
    def pressing(self) -> bool:
        """Whether anything urgent waits."""
        return bool(self._urgent)

    @property
    def empty(self) -> bool:
        return not self._urgent and not self._sent

    def close(self) -> None:
        self.closed = True
        self._receiver = None
        self._sent.clear()
        self._urgent.clear()
        if self._room is not None:
            self._room.set()

    async def _one_was_taken(self) -> None:
        """Wait until one was, in order, or until the inbox is closed."""
        if self._room is None:
            self._room = anyio.Event()
        await self._room.wait()

    def _add(self, lane: list[T], message: T) -> None:
        if self.closed:
            return
        if len(lane) >= self.capacity:
            raise InboxFull(f"the {self.name} actor does not keep up: {self.capacity} messages wait in its inbox")
        lane.append(message)
        if self._news is not None:
            self._news.set()
            self._news = None
