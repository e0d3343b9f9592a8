"""A reader's view of what happens in a session: bounded, never in the way of the session."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, Self, TypeVar
from weakref import ref

import anyio

from rtactors.session_events import Dropped

EventT = TypeVar("EventT")


class EventStream(Generic[EventT]):
    """An async iterator over the events since it was made; ends when the session does, or with `close`.

    At most `capacity` events wait for the reader. When more come, the oldest are left out and counted by a `Dropped`.
    """

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[EventT] = deque(maxlen=capacity)
        self._dropped = 0
        self._closed = False
        self._news = anyio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventT | Dropped:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return Dropped(dropped)
        return self._waiting.popleft()

    def push(self, event: EventT) -> None:
        if self._closed:
            return
        if len(self._waiting) == self._waiting.maxlen:
            self._dropped += 1
        self._waiting.append(event)
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._news.set()


class EventStreams(Generic[EventT]):
    """Those of a session, each for one reader: one that nobody reads any more is gone."""

    __slots__ = ("_capacity", "_read")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._read: list[ref[EventStream[EventT]]] = []

    def __iter__(self) -> Iterator[EventStream[EventT]]:
        for each in tuple(self._read):  # one may be gone meanwhile
            if stream := each():
                yield stream

    def open(self) -> EventStream[EventT]:
        stream = EventStream[EventT](self._capacity)
        self._read.append(ref(stream, self._read.remove))
        return stream

    def push(self, event: EventT) -> None:
        for stream in self:
            stream.push(event)

    def close(self) -> None:
        for stream in self:
            stream.close()
