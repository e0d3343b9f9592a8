"""What every actor of a session is given: the others' inboxes, and the surroundings they share."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from rtactors import mail
from rtactors.actor import Publish
from rtactors.channels import Inbox
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Capabilities
from rtactors.reminders import Reminders


class Ring(Struct, frozen=True):
    """The inboxes of a session. To insert an actor, give its neighbours a ring that has its inbox in the place."""

    transport: Inbox[mail.TransportMail]
    response: Inbox[mail.ResponseMail]
    sink: Inbox[mail.SinkMail]
    context: Inbox[mail.ContextMail]


class Surroundings(Struct, frozen=True):
    """What holds for a whole session."""

    publish: Publish
    reminders: Reminders
    capabilities: Capabilities
    deadlines: Deadlines
    bounds: Bounds
    inbox: Callable[[str, int], Inbox[Any]] = Inbox
    """Makes an inbox of a name and a capacity."""
