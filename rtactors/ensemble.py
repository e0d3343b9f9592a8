"""The actors of one session: wired to one another and to the stages between them, started, supervised, stopped."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from rtactors import mail
from rtactors.actor import Actor
from rtactors.actors.context import ContextActor
from rtactors.actors.journal import JournalActor
from rtactors.actors.message import MessageActor
from rtactors.actors.response import ResponseActor
from rtactors.actors.sink import SinkActor
from rtactors.actors.transcript import TranscriptActor
from rtactors.actors.transport import TransportActor
from rtactors.actors.turn import TurnActor
from rtactors.alignment.base import Aligner
from rtactors.channels import Inbox
from rtactors.errors import RtactorsError
from rtactors.events import Setup
from rtactors.interruption import Interruption
from rtactors.journal.base import Journal
from rtactors.limits import Backoff
from rtactors.pipeline import Factory, Line, MessagePlace, Pipeline, Place, run_behind, run_on
from rtactors.providers.base import Provider
from rtactors.ring import Ring, Run, Surroundings
from rtactors.sinks.base import Sink
from rtactors.transports.base import Connect

if TYPE_CHECKING:
    from rtactors.recording.tap import Tap

MailT = TypeVar("MailT")


class Ensemble:
    """`fail` is told why the session can't go on, `crashed` what an actor, or a stage, raised: that ends all of them.

    `policy` is that of interruptions, `setup` what the server is set up with at first.
    """

    def __init__(  # noqa: PLR0913 - all that actors need, by name
        self,
        surroundings: Surroundings,
        *,
        provider: Provider,
        sink: Sink,
        connect: Connect,
        reconnect: Backoff | None,
        journal: Journal | None,
        session_id: str,
        pipeline: Pipeline,
        policy: Interruption,
        aligner: Aligner,
        setup: Setup,
        recorder: "Tap | None",
        fail: Callable[[RtactorsError], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self.surroundings = surroundings
        self.stopped = False
        self._pipeline = pipeline
        self._recorder = recorder
        self._crashed = crashed
        self._scope: anyio.CancelScope | None = None  # what they run in
        self._sheltered: anyio.CancelScope | None = None
        self._tasks: TaskGroup

        bounds = surroundings.bounds
        self.to_transport = self._line_to("transport", bounds.commands, pipeline.transport)
        to_turn = self._line_to("turn", bounds.inbox, pipeline.turn)
        to_response = self._line_to("response", bounds.inbox, pipeline.response)
        to_transcript = self._line_to("transcript", bounds.inbox, pipeline.transcript)
        to_sink = self._line_to("sink", bounds.inbox, pipeline.sink)
        to_context = self._line_to("context", bounds.inbox, pipeline.context)
        self.ring = ring = Ring(
            transport=self.to_transport.first,
            turn=to_turn.first,
            response=to_response.first,
            transcript=to_transcript.first,
            sink=to_sink.first,
            context=to_context.first,
            journal=surroundings.inbox("journal", bounds.inbox) if journal else None,
        )
        self.transport = TransportActor(
            replace(ring, transport=self.to_transport.own),
            surroundings,
            provider=provider,
            connect=connect,
            reconnect=reconnect,
            setup=setup,
            fail=fail,
            inbox_of=self._inbox_of,
        )
        turn = TurnActor(replace(ring, turn=to_turn.own), surroundings, policy=policy, server_acts=setup.server_acts)
        self.response = ResponseActor(
            replace(ring, response=to_response.own),
            surroundings,
            policy=policy,
            server_acts=setup.server_acts,
            spawn=self._start_message,
        )
        self.context = ContextActor(replace(ring, context=to_context.own), surroundings)
        transcript = TranscriptActor(replace(ring, transcript=to_transcript.own), surroundings, aligner=aligner)
        self.journal: JournalActor | None = None
        if journal and ring.journal:
            self.journal = JournalActor(ring.journal, surroundings, journal=journal, session_id=session_id, fail=fail)
        actor_of_sink = SinkActor(replace(ring, sink=to_sink.own), surroundings, sink=sink, fail=fail)
        self._actors: list[tuple[Actor[Any] | None, list[Actor[Any]]]] = [
            (self.journal, []),
            (actor_of_sink, to_sink.build(self._place)),
            (self.context, to_context.build(self._place)),
            (transcript, to_transcript.build(self._place)),
            (self.response, to_response.build(self._place)),
            (turn, to_turn.build(self._place)),
            (self.transport, self.to_transport.build(self._place)),
        ]

    async def run(self) -> None:
        """Live, also when the session's block is cancelled, until the record is settled; the crash of one ends all."""
        with anyio.CancelScope(shield=True) as self._scope:
            if self.stopped:  # before this could begin
                self._scope.cancel()
            try:
                async with anyio.create_task_group() as self._tasks:
                    for actor, stages in self._actors:
                        if actor:
                            self._start(actor, stages)
                    await self.surroundings.reminders.run()
            except BaseException as error:
                self._crashed(error)
                raise

    def stop(self) -> None:
        """Cancel all that they do."""
        self.stopped = True
        for scope in (self._scope, self._sheltered):
            if scope:
                scope.cancel()

    def shelter(self, scope: anyio.CancelScope) -> None:
        """Cancel this as well, when they are stopped."""
        self._sheltered = scope

    # -- the way to each of them

    def _line_to(self, actor: str, capacity: int, stages: Sequence[Factory[MailT]]) -> Line[MailT]:
        return Line([self.surroundings.inbox(name, capacity) for name in self._pipeline.names(actor)], stages)

    def _place(self, inbox: Inbox[MailT], onward: Inbox[MailT]) -> Place[MailT]:
        return Place(inbox, onward, self.ring, self.surroundings)

    def _inbox_of(self, message_id: str) -> Inbox[mail.MessageMail]:
        """The one that a message is spoken to by, which may be its first stage's."""
        name = self._pipeline.names(f"message {message_id}")[0]
        return self.surroundings.inbox(name, self.surroundings.bounds.inbox)

    def _start_message(self, opened: mail.MessageOpened) -> None:
        names = self._pipeline.names(f"message {opened.event.item.id}")
        behind = [self.surroundings.inbox(name, self.surroundings.bounds.inbox) for name in names[1:]]
        line = Line[mail.MessageMail]([opened.inbox, *behind], self._pipeline.message)
        stages = line.build(
            lambda inbox, onward: MessagePlace(inbox, onward, self.ring, self.surroundings, opened.event)
        )
        self._start(MessageActor(replace(opened, inbox=line.own), self.ring, self.surroundings), stages)

    # -- supervision

    def _start(self, actor: Actor[Any], stages: Iterable[Actor[Any]]) -> None:
        run = self._watched(actor.inbox.name, actor.run)
        before = [self._watched(stage.inbox.name, partial(run_on, stage)) for stage in stages]
        self._tasks.start_soon(partial(run_behind, before, run) if before else run, name=f"{actor.inbox.name} actor")

    def _watched(self, name: str, run: Run) -> Run:
        """What it does is its doing; and if it crashes, nothing of what follows counts."""
        return partial(self._watch, self._recorder.running(name, run) if self._recorder else run)

    async def _watch(self, run: Run) -> None:
        try:
            await run()
        except Exception as error:
            self._crashed(error)
            raise
