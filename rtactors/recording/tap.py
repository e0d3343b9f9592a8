"""What listens in on a session: a session asks it for its inboxes, and lets it wrap what it was given.

Actors know nothing of it. `Recorder` is one; a replay is another, which lets happen what was recorded.
"""

import time
from abc import ABC
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Literal

import anyio
from msgspec.structs import asdict, replace

from rtactors.actor import Publish
from rtactors.alignment.base import Aligner
from rtactors.causes import causes
from rtactors.channels import Inbox
from rtactors.interruption import AT_ONCE, Interruption
from rtactors.journal.base import Journal
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.providers.base import Provider
from rtactors.recording import lines
from rtactors.recording.notes import APP, Notes, who
from rtactors.recording.tapped import (
    TappedAligner,
    TappedEvent,
    TappedInbox,
    TappedJournal,
    TappedProvider,
    TappedReminders,
    TappedSink,
    tapped_connect,
)
from rtactors.reminders import Reminders
from rtactors.ring import Run, Surroundings
from rtactors.session_events import SessionEvent
from rtactors.sinks.base import Sink
from rtactors.transports.base import Connect


class Tap(Notes, ABC):
    """Listens to one session, from `open` to `end`."""

    _tasks = 0
    _voiced = False
    _cut_mark = ""

    def open(  # noqa: PLR0913 - what a session is made with
        self,
        provider: Provider,
        deadlines: Deadlines,
        bounds: Bounds,
        reconnect: Backoff | None,
        *,
        interruption: Interruption = AT_ONCE,
        session_id: str = "",
        journal: Literal["", "begun", "resumed"] = "",
        stages: tuple[str, ...] = (),
    ) -> None:
        """The session begins. Raises ConfigurationError if nobody can listen."""
        if journal == "resumed":  # what was said before may have keys in it, and is read before they are asked for
            with suppress(Exception):  # which is told when they are
                self.leave_out.learn(provider.endpoint())
        self.begin(
            lines.Header(
                rtactors=version("rtactors"),
                provider=provider.name,
                session_id=session_id,
                journal=journal,
                voiced=self._voiced,
                stages=stages,
                capabilities=provider.capabilities,
                deadlines=deadlines,
                bounds=bounds,
                interruption=interruption,
                cut_mark=self._cut_mark,
                reconnect=reconnect and {name: value for name, value in asdict(reconnect).items() if name != "luck"},
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
        self._voiced, self._cut_mark = surroundings.voiced, surroundings.cut_mark
        return replace(
            surroundings,
            publish=self.publish(surroundings.publish),
            reminders=self.reminders(),
            inbox=self.inbox,
            wall_clock=self._seen("wall_clock", surroundings.wall_clock),
            epoch=self._seen("epoch", surroundings.epoch),
            event=self.event,
            task=self.task,
            outside=self.outside,
        )

    def reconnect(self, reconnect: Backoff) -> Backoff:
        return replace(reconnect, luck=self._seen("luck", reconnect.luck))

    def event(self) -> anyio.Event:
        return TappedEvent(self)

    def task(self, run: Run) -> Run:
        self._tasks += 1
        number = self._tasks

        async def tapped() -> None:
            await self.may_begin(number)
            self.tell(lines.Begun, task=number)
            await run()

        return tapped

    def outside(self, run: Run) -> Run:
        """What `run` does is the app's doing."""

        async def tapped() -> None:
            who.set(APP)
            await run()

        return tapped

    async def may_begin(self, task: int) -> None:
        """Nothing holds it up, unless it is a replay."""

    def _seen(self, what: str, look: Callable[[], float]) -> Callable[[], float]:
        def tapped() -> float:
            value = look()
            self.tell(lines.Seen, what=what, value=value)
            return value

        return tapped

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

    def aligner(self, aligner: Aligner) -> Aligner:
        return TappedAligner(self, aligner)

    def journal(self, journal: Journal) -> Journal:
        return TappedJournal(self, journal)

    def running(self, name: str, run: Run) -> Run:
        """`run` of an actor: what happens in it is the actor's doing."""

        async def tapped() -> None:
            who.set(name)
            try:
                await run()
            except Exception as error:
                self.tell(lines.Crashed, errors=tuple(map(self.failure, causes(error))))
                raise

        return tapped
