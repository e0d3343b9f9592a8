"""What every actor of a session is given: the others' inboxes, and the surroundings they share."""

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import anyio
from msgspec import Struct

from rtactors import mail
from rtactors.actor import Publish
from rtactors.channels import Inbox
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Capabilities
from rtactors.reminders import Reminders

Run: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


def _as_it_is(run: Run) -> Run:
    return run


def _wall_clock() -> float:
    return time.time()


def _epoch() -> float:
    return time.time() - anyio.current_time()


class Ring(Struct, frozen=True):
    """The inboxes of a session; for each actor its own, and of one with stages before it (`pipeline.py`) the first."""

    transport: Inbox[mail.TransportMail]
    turn: Inbox[mail.TurnMail]
    response: Inbox[mail.ResponseMail]
    transcript: Inbox[mail.TranscriptMail]
    sink: Inbox[mail.SinkMail]
    context: Inbox[mail.ContextMail]
    journal: Inbox[mail.JournalMail] | None = None
    """None if no journal is kept."""


class Surroundings(Struct, frozen=True):
    """What holds for a whole session."""

    publish: Publish
    reminders: Reminders
    capabilities: Capabilities
    deadlines: Deadlines
    bounds: Bounds
    voiced: bool = False
    """Whether a voice of ours speaks the text that no audio of the server's goes with."""
    cut_mark: str = ""
    """Stands behind the heard text of a message that was interrupted."""
    inbox: Callable[[str, int], Inbox[Any]] = Inbox
    """Makes an inbox of a name and a capacity."""
    wall_clock: Callable[[], float] = _wall_clock
    """In unix seconds."""
    epoch: Callable[[], float] = _epoch
    """When the session's clock was 0, in unix seconds."""
    event: Callable[[], anyio.Event] = anyio.Event
    """Makes one that an actor itself waits for."""
    task: Callable[[Run], Run] = _as_it_is
    """What an actor starts besides its own task goes through here: when it begins, the event loop decides."""
    outside: Callable[[Run], Run] = _as_it_is
    """What it starts that is none of the session's doing goes through here, as what the app does."""
