"""What an actor gets from others it gets in a replay when it did: mail, events, reminders."""

from typing import Any, Self, TypeVar

import anyio
from msgspec import json

from rtactors.channels import Inbox
from rtactors.recording import Recording, lines
from rtactors.recording.notes import REMINDERS, who
from rtactors.recording.tapped import TappedEvent, TappedInbox, TappedReminders
from rtactors.reminders import Reminder
from rtactors.testing.replay.tape import Tape

T = TypeVar("T")


class GatedInbox(TappedInbox[T]):
    """Something is taken from it when it was."""

    __slots__ = ("_tape",)

    def __init__(self, tape: Tape, name: str, capacity: int) -> None:
        super().__init__(tape, name, capacity)
        self._tape = tape

    @property
    def is_shut(self) -> bool:
        """An actor may have ended earlier than it did among the others."""
        mine = self._tape.mine
        return self.closed and (mine is None or self.closed_as < mine.n)

    async def take(self) -> T:
        await self._tape.turn(("take", self.name))
        if self.empty and self._tape.mine:
            self._tape.differ(self._tape.mine)
        return await super().take()


class GatedEvent(TappedEvent):
    """Whoever waits for it goes on when they did."""

    def __new__(cls, tape: Tape) -> Self:
        return super().__new__(cls, tape)

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self._tape = tape

    async def come(self) -> None:
        await self._tape.turn(("wait", self._tape.names.of(self)))
        if not self.is_set() and self._tape.mine:
            self._tape.differ(self._tape.mine)


class GatedReminders(TappedReminders):
    """They ring when they did."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self._tape = tape
        self._asked: dict[bytes, list[Reminder]] = {}

    def add(self, inbox: Inbox[T], seconds: float, message: T) -> Reminder:
        reminder = super().add(inbox, seconds, message)
        self._asked.setdefault(_key(inbox.name, self._tape.plain(message)), []).append(reminder)
        return reminder

    async def run(self) -> None:
        """Nothing rings by itself."""

    def ring(self, event: lines.Sent) -> None:
        """The first of those that would say this, and were not cancelled."""
        asked = self._asked.get(_key(event.to, event.mail), [])
        before = who.set(REMINDERS)
        try:
            while asked and not self._tape.has_happened(event):
                asked.pop(0).ring()
        finally:
            who.reset(before)


def _key(to: str, mail: lines.Plain) -> bytes:
    return json.encode([to, mail], order="sorted")


class Gates(Tape):
    """The tape, with what it gives to a session."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self.inboxes: dict[str, Inbox[Any]] = {}
        self.pending = GatedReminders(self)

    def inbox(self, name: str, capacity: int) -> Inbox[Any]:
        inbox: Inbox[Any] = GatedInbox(self, name, capacity)
        self.inboxes[name] = inbox
        return inbox

    def reminders(self) -> GatedReminders:
        return self.pending

    def event(self) -> anyio.Event:
        return GatedEvent(self)
