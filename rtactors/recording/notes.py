"""Notes on a session: what is heard of it, one event after the other, with number, time and who did it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import anyio

from rtactors.history import HistoryItem
from rtactors.recording import lines
from rtactors.recording.leave_out import LeaveOut
from rtactors.recording.plain import Names, failure_of, plain

APP, DEVICE, REMINDERS = "app", "device", "reminders"
"""Those outside of the actors: the app and the session that it calls, the sink, and what was asked to be told later."""

who: ContextVar[str] = ContextVar("who", default=APP)
"""Who does what happens now: known from the task it happens in."""


class Notes(ABC):
    """Begins with `begin`, ends with `end`; `note` gets what happens in between."""

    def __init__(self, *, audio: bool) -> None:
        self.leave_out = LeaveOut(audio=audio)
        self.names = Names()
        self._listening = False
        self._count = 0

    @abstractmethod
    def note(self, event: lines.Event) -> int:
        """Something happened just now; gives its number."""

    def begin(self, header: lines.Header) -> None:  # noqa: ARG002 - for those that keep it
        self._listening = True

    def end(self, history: Sequence[HistoryItem]) -> None:
        """The session is over: nothing counts from now on. May be called again."""
        if self._listening:
            before = who.set(APP)  # though it may have been an actor's crash
            self.tell(lines.Over, history=tuple(map(self.plain, history)))
            who.reset(before)
            self._listening = False

    def tell(self, kind: Callable[..., lines.Event], **what: Any) -> int:  # noqa: ANN401 - the fields of that kind
        """Note that this happened; gives its number, or 0 if nothing counts any more."""
        if not self._listening:
            return 0
        self._count += 1
        return self.note(kind(self._count, anyio.current_time(), who.get(), **what))

    def plain(self, value: object) -> lines.Plain:
        """Mail or an event, as it is noted."""
        return self.leave_out.from_plain(plain(value, self.names.of, self._audio))

    def failure(self, error: BaseException) -> lines.Failure:
        """The same of an error."""
        return failure_of(error, self.leave_out.from_plain)

    def _audio(self, audio: bytes) -> lines.Plain:
        return self.leave_out.audio_of(audio, keep=who.get() == APP)
