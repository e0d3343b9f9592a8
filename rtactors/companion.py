"""What a companion is: something beside the ring that runs the app's code, or stands for the world outside.

Tools, a delegate, a voice and an interruption rule are companions. A companion hears what the session publishes, all of
it and in order, and talks back as an app does: by the context actor. So a recording has what it does as the app's
doing, and a replay needs none.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import anyio
from msgspec import Struct

from rtactors import mail
from rtactors.actor import Publish
from rtactors.events import Function
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Capabilities
from rtactors.reply import ReplyRecord
from rtactors.session_events import SessionEvent

Tell: TypeAlias = Callable[[mail.ContextMail], None]
"""Tells the context actor something, as an app would; never blocks. It is dropped if the session is over."""


def is_cancelled() -> bool:
    """Whether who runs is being cancelled. If it isn't, then a cancellation that the app's code raises is a failure of
    that, such as of an asyncio task that it waited for: nothing of ours may end by it.
    """
    return anyio.current_effective_deadline() == -math.inf


class Company(Struct, frozen=True):
    """What a companion is given of its session."""

    tell: Tell
    publish: Publish
    new_id: Callable[[str], str]
    """An id for an item or a request of the given kind: one that nothing has."""
    capabilities: Capabilities
    deadlines: Deadlines
    bounds: Bounds

    def request(self, to: str) -> mail.RequestReply:
        """For a reply `to` something, whose handle nobody holds; any other that has not begun will do."""
        return mail.RequestReply(ReplyRecord(self.new_id("reply")), to=to, joins=True)


class Companion(ABC):
    """One of a session, for as long as that lasts."""

    functions: tuple[Function, ...] = ()
    """What it lets the model call: the server is told when it is connected to."""

    @abstractmethod
    def hear(self, event: SessionEvent) -> None:
        """Something was published. Called at once, in order, also before `run` begins: it may not block or raise."""

    @abstractmethod
    async def run(self, company: Company) -> None:
        """Live until cancelled, which is the first thing that happens when the session's block is left. Then it has
        `Deadlines.close` to finish what it has begun. An exception ends the session.
        """
