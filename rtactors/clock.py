"""One session's clock: tells actors, at a time they chose, what they asked to be told."""

import heapq
import math
from typing import Any, TypeVar

import anyio

from rtactors.channels import Inbox

T = TypeVar("T")


class Clock:
    """Puts reminders into inboxes when they are due. One task for a whole session, whatever waits in it."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Inbox[Any], object]] = []
        self._count = 0
        self._sleep: anyio.CancelScope | None = None

    def remind(self, inbox: Inbox[T], seconds: float, message: T) -> None:
        """Send `message` to `inbox` in `seconds`. What has become pointless by then is for the actor to ignore."""
        self._count += 1
        at = anyio.current_time() + seconds
        heapq.heappush(self._due, (at, self._count, inbox, message))
        if self._sleep:
            self._sleep.deadline = min(self._sleep.deadline, at)

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._due[0][0] if self._due else math.inf) as self._sleep:
                await anyio.sleep_forever()
            while self._due and self._due[0][0] <= anyio.current_time():
                _, _, inbox, message = heapq.heappop(self._due)
                inbox.send(message)
