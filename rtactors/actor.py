"""What every actor is: one inbox, one task, and things that it alone moves through their charts.

Actors talk by sending to each other's inboxes. All but the transport are *reactive*: a synchronous `handle` that runs
to completion for each message, so that such an actor is never seen half-way. An exception that leaves an actor ends
the session with that cause.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

import anyio

from rtactors.channels import Inbox, ReceiverEnded
from rtactors.reminders import Reminder, Reminders
from rtactors.session_events import Problem, SessionEvent, Transition
from statecharts.chart import Chart, IllegalEvent, Life

T = TypeVar("T")
EventT = TypeVar("EventT")
EffectT = TypeVar("EffectT")

Publish: TypeAlias = Callable[[SessionEvent], None]
"""Lets the app see something; never blocks, and steers nothing."""


class Actor(Generic[T]):
    """Lives in `run`, hears through `inbox`, lets the app see what happens through `publish`, until it is `ended`."""

    def __init__(self, inbox: Inbox[T], publish: Publish) -> None:
        self.inbox = inbox
        self.publish = publish
        self.ended = False

    @abstractmethod
    async def run(self) -> None:
        """Live; close the inbox at the end."""

    def fire(self, chart: Chart[EventT, EffectT], life: Life, event: EventT) -> tuple[EffectT, ...]:
        """Let an event happen to something this actor owns; the effects are the actor's to carry out.

        An event that cannot happen in its state changes nothing and is published as a problem.
        """
        before = life.state
        try:
            effects = chart.fire(life, event)
        except IllegalEvent as error:
            self.publish(Problem(kind="other", message=str(error), operation=life.id))
            return ()
        if effects or life.state != before:
            self.publish(
                Transition(
                    chart=chart.name,
                    id=life.id,
                    before=before,
                    event=event,
                    after=life.state,
                    effects=effects,
                    at=anyio.current_time(),
                )
            )
        return effects


class ReactiveActor(Actor[T]):
    """Handles what comes into its inbox, one message after the other; sets itself deadlines with `remind`."""

    def __init__(self, inbox: Inbox[T], publish: Publish, reminders: Reminders) -> None:
        super().__init__(inbox, publish)
        self._reminders = reminders

    @abstractmethod
    def handle(self, message: T) -> None:
        """React to one message."""

    def remind(self, seconds: float, message: T) -> Reminder:
        """Handle `message` in `seconds`, unless the actor has ended or has cancelled it by then."""
        return self._reminders.add(self.inbox, seconds, message)

    async def run(self) -> None:
        self.inbox.take_at_once(self)
        try:
            while not self.ended:
                self.handle(await self.inbox.receive())
        except ReceiverEnded:
            pass
        finally:
            self.inbox.close()
