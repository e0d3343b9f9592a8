"""What listens in on a session: a session asks it for its inboxes, and lets it wrap what it was given.

Actors know nothing of it. `Recorder` is one; a replay is another, which lets happen what was recorded.
"""

import time
from abc import ABC
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from typing import Any, cast

import anyio
from msgspec.structs import replace

from rtactors.actor import Publish
from rtactors.channels import Inbox
from rtactors.limits import Bounds, Deadlines
from rtactors.providers.base import Provider
from rtactors.recording import lines
from rtactors.recording.notes import Notes, who
from rtactors.recording.tapped import TappedInbox, TappedProvider, TappedReminders, TappedSink, tapped_connect
from rtactors.reminders import Reminders
from rtactors.ring import Surroundings
from rtactors.session_events import SessionEvent
from rtactors.sinks.base import Sink
from rtactors.transports.base import Connect


class Tap(Notes, ABC):
    """Listens to one session, from `open` to `end`."""

    def open(self, provider: Provider, deadlines: Deadlines, bounds: Bounds) -> None:
        """The session begins. Raises ConfigurationError if nobody can listen."""
        self.begin(
            lines.Header(
                rtactors=version("rtactors"),
                provider=provider.name,
                capabilities=provider.capabilities,
                deadlines=deadlines,
                bounds=bounds,
                started=time.time(),
                at=anyio.current_time(),
                left_out=("secrets",) if self.leave_out.audio else ("secrets", "audio"),
            )
        )

    def inbox(self, name: str, capacity: int) -> Inbox[Any]:
        return TappedInbox(self, name, capacity)

    def reminders(self) -> Reminders:
        return TappedReminders(self)

    def surroundings(self, surroundings: Surroundings) -> Surroundings:
        publish = self.publish(surroundings.publish)
        return replace(surroundings, publish=publish, reminders=self.reminders(), inbox=self.inbox)

    def publish(self, publish: Publish) -> Publish:
        def tapped(event: SessionEvent) -> None:
            self.tell(lines.Published, event=self.plain(event))
            publish(event)

        return tapped

    def provider(self, provider: Provider) -> Provider:
        return TappedProvider(self, provider)

    def connect(self, connect: Connect) -> Connect:
        return tapped_connect(self, connect)

    def sink(self, sink: Sink) -> Sink:
        return TappedSink(self, sink)

    def running(self, name: str, run: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """`run` of an actor: what happens in it is the actor's doing."""

        async def tapped() -> None:
            who.set(name)
            try:
                await run()
            except Exception as error:
                self.tell(lines.Crashed, errors=tuple(map(self.failure, _leaves(error))))
                raise

        return tapped


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for member in cast("ExceptionGroup[Exception]", error).exceptions:
            yield from _leaves(member)
    else:
        yield error
