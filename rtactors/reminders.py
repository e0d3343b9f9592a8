"""Reminders: tell actors, at a time they chose, what they asked to be told."""

import heapq
import math
from typing import Any, TypeVar

import anyio

from rtactors.channels import Inbox

T = TypeVar("T")


_FEW = 32
"""Reminders that may be kept, wanted or not."""


class Reminder:
    """Something to come; `cancel` it when it has become pointless."""

    __slots__ = ("_inbox", "_message")

    def __init__(self, inbox: Inbox[Any], message: object) -> None:
        self._inbox: Inbox[Any] | None = inbox
        self._message = message

    def cancel(self) -> None:
        self._inbox = self._message = None

    @property
    def wanted(self) -> bool:
        return self._inbox is not None

    def ring(self) -> None:
        if self._inbox is not None:
            self._inbox.send(self._message)


class Reminders:
    """Puts messages into inboxes when they are due. One task for a whole session, whatever waits in it."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Reminder]] = []
        self._count = 0
        self._most = _FEW
        self._sleep: anyio.CancelScope | None = None

    def add(self, inbox: Inbox[T], seconds: float, message: T) -> Reminder:
        """Send `message` to `inbox` in `seconds`."""
        if len(self._due) >= self._most:
            self._forget_unwanted()
        self._count += 1
        at = anyio.current_time() + seconds
        reminder = Reminder(inbox, message)
        heapq.heappush(self._due, (at, self._count, reminder))
        if self._sleep:
            self._sleep.deadline = min(self._sleep.deadline, at)
        return reminder

    def _forget_unwanted(self) -> None:
        """What was cancelled is not kept until it is due. Done each time there is twice as much, it costs nothing."""
        self._due = [each for each in self._due if each[2].wanted]
        heapq.heapify(self._due)
        self._most = max(_FEW, 2 * len(self._due))

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._due[0][0] if self._due else math.inf) as self._sleep:
                await anyio.sleep_forever()
            while self._due and self._due[0][0] <= anyio.current_time():
                heapq.heappop(self._due)[2].ring()
