"""The transport actor: what connects a session to its server, over one connection after the other.

It takes frames off the socket at once, always, and gives each event to the one it is for: audio and text straight to
their message, everything else to the turn and the context actor. It sends commands, control before audio. When a
connection is lost or near its limit it makes the next; what was sent to a server that is gone never reaches another.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import Actor
from rtactors.actors.connection import Connection
from rtactors.channels import Inbox
from rtactors.errors import ConnectionFailed, LimitReached, RtactorsError, SessionClosed
from rtactors.events import Item, OutputStarted, ProviderError
from rtactors.flag import Flag
from rtactors.limits import Backoff
from rtactors.operations import owner_of
from rtactors.providers.base import Provider
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import ConnectionChanged, Problem, Unhandled
from rtactors.transports.base import Connect
from rtactors.user_audio import InputCommand, UserAudio
from statecharts import connection, link
from statecharts.connection import CONNECTION, ConnectionEvent
from statecharts.link import LINK, LinkEvent

_SHORTEST_LIMIT_S = 60
"""A time limit that is nearer is none of a provider's (they are minutes): its clock and ours differ."""

_FEW = 8
"""Messages that may be kept track of, though they have ended."""


class _Message:
    """By which way it is spoken to, and how much audio came for it."""

    __slots__ = ("audio_bytes", "inbox")

    def __init__(self, inbox: Inbox[mail.MessageMail]) -> None:
        self.inbox = inbox
        self.audio_bytes = 0


class TransportActor(Actor[mail.TransportMail]):
    """`decided` is set once the first connection is set up, or can't be; `closed` once there is none any more.

    `fail` is told why there is none, if we did not want it. `inbox_of` makes the one by which a message is spoken to.
    """

    def __init__(  # noqa: PLR0913 - all that a connection needs
        self,
        ring: Ring,
        surroundings: Surroundings,
        *,
        provider: Provider,
        connect: Connect,
        reconnect: Backoff | None,
        setup: events.Setup,
        fail: Callable[[RtactorsError], None],
        inbox_of: Callable[[str], Inbox[mail.MessageMail]],
    ) -> None:
        super().__init__(ring.transport, surroundings.publish)
        self.decided = Flag()
        self.closed = Flag()
        self._ring = ring
        self._provider = provider
        self._connect = connect
        self._reconnect = reconnect
        self._fail = fail
        self._deadlines = surroundings.deadlines
        self._bounds = surroundings.bounds
        self._inbox_of = inbox_of
        self._wall_clock = surroundings.wall_clock
        self._new_event = surroundings.event
        self._as_task = surroundings.task
        self._reminders = surroundings.reminders
        self._tasks: TaskGroup
        self._life = LINK.start("link")
        self._count = 0  # connections, each attempt is one
        self._attempts = 0  # of these since the link was sound
        self._lost_at = 0.0
        self._limit_at = 0.0
        self._failure: ConnectionFailed | None = None  # why the last attempt could not be opened
        self._refused = False  # the last connection ended with what no other could help against
        self._in_use: Connection | None = None
        self._next: Connection | None = None
        self._loss_known = True  # else what is sent may still be for the server that is gone
        self._told = False  # the server in use knows the history
        self._again: deque[events.Command] = deque()  # the user's voice once more, and what has to stay behind it
        self._kept: list[events.AppendHandoff | mail.WhenSent] = []  # what came while no server knew the history
        self._sending: anyio.CancelScope | None = None
        self._setup = setup  # the newest
        self._setup_operation = ""  # by which it was changed last
        self._audio = UserAudio(surroundings.bounds.user_audio, surroundings.capabilities.input_rate)
        self._messages: dict[str, _Message | None] = {}  # None: it has ended, what comes is dropped
        self._live: dict[str, _Message] = {}  # of these the few that may not have ended
        self._most_live = _FEW  # then it is time to see which have
        self._audio_bytes = 0  # that came for them
        self._routes: dict[type, Callable[[Any], None]] = {
            events.AudioDelta: self._on_audio,
            events.TextDelta: self._to_message,
            events.TextDone: self._to_message,
            events.AudioDone: self._to_message,
            events.OutputStarted: self._on_output_started,
            events.OutputDone: self._on_output_done,
            events.ResponseStarted: ring.turn.send,
            events.ResponseDone: ring.turn.send,
            events.SpeechStarted: self._on_speech,
            events.SpeechStopped: self._on_speech,
            events.ItemAdded: ring.context.send,
            events.ItemDone: ring.context.send,
            events.ItemTruncated: ring.context.send,
            events.ItemDeleted: ring.context.send,
            events.InputCommitted: self._on_input_committed,
            events.InputCleared: self._on_input_cleared,
            events.InputTranscript: self._on_transcript,
            events.InputTranscriptFailed: self._on_transcript_failed,
            events.HandoffRequested: ring.turn.send,
            events.SessionStarted: _known,
            events.SessionConfigured: ring.turn.send,
            events.ProviderError: self._on_error,
            events.Unknown: self._on_unknown,
        }

    async def run(self) -> None:
        """Connect, then send and receive, over as many connections as it takes, until the session is over."""
        try:
            async with anyio.create_task_group() as self._tasks:
                self._make_connection()
                while not self.ended:
                    with anyio.CancelScope() as self._sending:  # cancelled when the connection in use is not any more
                        await self._write()
                self._tasks.cancel_scope.cancel()
        finally:
            self.inbox.close()
            self.closed.set()

    # -- sending

    async def _write(self) -> None:
        while not self.ended:
            if self._again and not self.inbox.pressing:
                await self._send(self._again.popleft())
            else:
                await self._handle(await self.inbox.receive())
            sent = self.inbox.empty and not self._again
            if self._in_use and self._in_use.life.state == "draining" and sent:
                await self._in_use.finish()

    async def _handle(self, message: mail.TransportMail) -> None:
        match message:
            case events.AppendAudio() | events.CommitAudio() | events.ClearAudio():
                self._audio.sent(message)
                if self._told:
                    await self._send(message)
            case mail.CloseConnection():
                # Who leaves has no use for an answer to what was said before.
                self._again = deque(each for each in self._again if not isinstance(each, InputCommand))
                self._fire(link.CloseAsked())
            case mail.LossKnown():
                self._loss_known = True
                self._come_up()
            case mail.HistoryTold():
                if self._loss_known:  # else the server that was told it is gone
                    self._told = True
                    self._again.extend(self._audio.reconnected())
                    for kept in self._kept:
                        if isinstance(kept, mail.WhenSent):
                            kept.sent.set()
                        else:
                            self._again.append(kept)
                    self._kept.clear()
            case mail.UpdateSession():
                self._setup = replace(self._setup, server_acts=message.server_acts)
                self._setup_operation = message.operation_id
                if self._loss_known and (connection := self._in_use):
                    self._ring.turn.send(mail.SetupTold(message.server_acts, message.operation_id))
                    for frame in self._provider.update(self._setup, message.operation_id):
                        await connection.send(frame)
            case events.AppendHandoff() | mail.WhenSent() if not self._told:
                self._kept.append(message)  # no ledger has it, so it is for whichever server comes
            case mail.WhenSent():
                message.sent.set()
            case mail.LimitNear():
                if self._in_use and self._in_use.number == message.connection:
                    self._fire(link.LimitNear())
            case events.CreateItem() | events.CreateResponse() | events.AppendHandoff() if (
                self._again and self._loss_known
            ):
                self._again.append(message)  # it came after what the user had said, or what was kept
            case _ if self._loss_known:
                await self._send(message)
            case _:
                pass  # it was for the server that is gone

    def _interrupt_sending(self) -> None:
        """What is being sent is for a server that is gone, and may never get there."""
        if self._sending:
            self._sending.cancel()

    async def _send(self, command: events.Command) -> None:
        if connection := self._in_use:  # which may be lost over one of several frames
            for frame in self._provider.encode(command):
                await connection.send(frame)

    # -- receiving

    def _on_audio(self, event: events.AudioDelta) -> None:
        if message := self._message(event):
            size = len(event.audio)
            message.audio_bytes += size
            self._audio_bytes += size
            if self._audio_bytes > self._bounds.audio:
                self._check_audio()
            message.inbox.hand(event)

    def _check_audio(self) -> None:
        self._drop_ended()
        if self._audio_bytes > self._bounds.audio:
            what = f"the server sends more audio than can be kept, {self._bounds.audio} bytes (Bounds.audio)"
            raise LimitReached(f"{what}, ahead of what is heard")

    def _to_message(self, event: events.TextDelta | events.TextDone | events.AudioDone) -> None:
        if message := self._message(event):
            message.inbox.hand(event)

    def _message(
        self, event: events.AudioDelta | events.TextDelta | events.TextDone | events.AudioDone
    ) -> "_Message | None":
        if event.item_id in self._messages:
            return self._messages[event.item_id]
        # A server that leaves the announcement out has made it with its first delta.
        item = Item(id=event.item_id, role="assistant", status="in_progress")
        return self._open_message(OutputStarted(event.response_id, 0, item))

    def _on_output_started(self, event: OutputStarted) -> None:
        if event.item.kind == "message" and event.item.id not in self._messages:
            self._open_message(event)

    def _open_message(self, event: OutputStarted) -> "_Message":
        if len(self._live) >= self._most_live:
            self._drop_ended()
            self._most_live = max(_FEW, 2 * len(self._live))  # looked at once for each, however many there are
        if len(self._messages) >= self._bounds.items:
            raise LimitReached(
                f"the server has made {self._bounds.items} messages (Bounds.items): begin another session"
            )
        message = _Message(self._inbox_of(event.item.id))
        self._messages[event.item.id] = self._live[event.item.id] = message
        self._ring.turn.send(mail.MessageOpened(event, message.inbox))
        return message

    def _drop_ended(self) -> None:
        for ended in [item_id for item_id, message in self._live.items() if message.inbox.closed]:
            self._audio_bytes -= self._live.pop(ended).audio_bytes
            if ended in self._messages:  # else it is of a server that is gone
                self._messages[ended] = None

    def _on_output_done(self, event: events.OutputDone) -> None:
        item = event.item
        if item.kind != "message":
            self._ring.turn.send(event)
            return
        if item.id not in self._messages:  # neither announced nor begun, and yet the server may hold it
            self._open_message(OutputStarted(event.response_id, event.output_index, item))
        if message := self._messages[item.id]:
            message.inbox.send(event)

    # -- receiving: the user's voice

    def _on_speech(self, event: events.SpeechStarted | events.SpeechStopped) -> None:
        self._audio.told(event)
        self._ring.turn.hand(event)

    def _on_input_committed(self, event: events.InputCommitted) -> None:
        self._audio.told(event)
        self._ring.context.send(event)
        self._ring.turn.send(event)

    def _on_input_cleared(self, event: events.InputCleared) -> None:
        self._audio.told(event)
        self._ring.turn.send(event)

    def _on_transcript(self, event: events.InputTranscript) -> None:
        self._audio.told(event)
        self._ring.context.send(event)
        self._ring.turn.send(event)

    def _on_transcript_failed(self, event: events.InputTranscriptFailed) -> None:
        self._ring.context.send(event)
        self._ring.turn.send(event)

    # -- receiving: what went wrong

    def _on_unknown(self, event: events.Unknown) -> None:
        self.publish(Unhandled(event.name))

    def _on_error(self, error: ProviderError) -> None:
        """To the operation that caused it; one without an owner is reported. Few end the connection."""
        owner = owner_of(error.operation_id)
        if error.kind in {"fatal", "expired"} and self._in_use:
            self._fire_connection(self._in_use, connection.Broken(error.message, final=error.kind == "fatal"))
        elif owner == "context":
            self._ring.context.send(error)
        elif owner in {"response", "turn"}:
            self._ring.turn.send(error)
        else:
            operation = error.operation_id or ""
            self._audio.refused(operation)
            if owner == "input" or error.kind == "busy":  # for a reply of the server's own there was no room
                self._ring.turn.send(error)
            self.publish(Problem(kind=error.kind, message=error.message, operation=operation, code=error.code))

    # -- one connection

    def _make_connection(self) -> None:
        pause = self._reconnect.pause(self._attempts) if self._reconnect and self._attempts else 0
        self._count += 1
        self._attempts += 1
        self._next = Connection(
            self._count,
            provider=self._provider,
            connect=self._connect,
            routes=self._routes,
            fire=self._fire_connection,
        )
        run = partial(self._next.run, pause, self._deadlines.connect)
        self._tasks.start_soon(self._as_task(run), name=f"connection {self._count}")

    def _fire_connection(self, which: Connection, event: ConnectionEvent) -> None:
        for effect in self.fire(CONNECTION, which.life, event):
            match effect:
                case connection.Configure():
                    which.configure(self._setup)
                case connection.TellReady():
                    which.ready()
                    self._come_up()
                case connection.TellClosed():
                    self._on_closed(which, effect)

    def _come_up(self) -> None:
        """A connection that is set up can be taken into use once nothing more is sent for the one before it."""
        if self._next and self._next.life.state == "ready" and self._loss_known:
            self._fire(link.Up())

    def _on_closed(self, which: Connection, closed: connection.TellClosed) -> None:
        now = anyio.current_time()
        self._refused = closed.final
        if which is self._in_use and self._life.state == "closed":
            self._end("")
        elif which is self._in_use:
            if self._reconnect and now - which.ready_at >= self._reconnect.steady:
                self._attempts = 1
            self._fire(link.Lost(closed.reason, closed.final or not self._reconnect))
        elif which is self._next:
            self._next = None
            self._failure = which.failure or ConnectionFailed(closed.reason, retryable=which.timed_out)
            patience = self._reconnect.give_up if self._reconnect else 0
            gave_up = self._in_use is None and now - self._lost_at >= patience
            self._fire(link.Failed(closed.reason, closed.final or gave_up))

    # -- one after the other

    def _fire(self, event: LinkEvent) -> None:
        before = self._life.state
        for effect in self.fire(LINK, self._life, event):
            match effect:
                case link.Connect():
                    self._make_connection()
                case link.Forget():
                    self._forget(effect.reason)
                case link.Adopt():
                    self._adopt()
                case link.AwaitMoment():
                    self._tasks.start_soon(self._as_task(partial(self._await_moment, self._count)))
                case link.Report():
                    what = f"the connection can't be renewed before the provider's time limit: {effect.reason}"
                    self.publish(Problem(kind="other", message=what))
                case link.End():
                    self._end(effect.reason)
        if self._life.state != before:
            reason = event.reason if isinstance(event, link.Lost | link.Failed) else ""
            self.publish(ConnectionChanged(self._life.state, reason, anyio.current_time()))

    def _adopt(self) -> None:
        """Others may speak to this server, once it knows what was said."""
        if self._next is None:
            raise RuntimeError(f"{self._life!r} has no connection to take into use")
        self._in_use, self._next = self._next, None
        self._in_use.use()
        self._expect_limit(self._in_use)
        self._ring.turn.send(mail.SetupTold(self._in_use.setup.server_acts))
        if self._in_use.setup != self._setup:  # it was changed since
            self.inbox.urgent(mail.UpdateSession(self._setup_operation, self._setup.server_acts))
        self._ring.context.send(mail.ConnectionReady(self._audio.turns(), self._in_use.number))
        self.decided.set()

    def _forget(self, reason: str) -> None:
        """Nothing more comes from this server, and nothing that it was sent counts."""
        lost = 0
        if self._in_use:
            lost = self._in_use.number
            self._in_use.ignore()
            if not self._in_use.over:
                self._tasks.start_soon(self._as_task(self._in_use.retire))
        self._in_use = None
        self._lost_at = anyio.current_time()
        self._told = self._loss_known = False
        self._again.clear()
        self._messages.clear()  # those that are not over still have their audio
        self._ring.turn.send(mail.ConnectionLost(reason, lost))
        self._interrupt_sending()

    def _expect_limit(self, used: Connection) -> None:
        left = used.expires_at - self._wall_clock() if used.expires_at else 0
        if self._reconnect and left >= _SHORTEST_LIMIT_S:
            self._limit_at = anyio.current_time() + left
            renew = min(self._deadlines.renew, left / 4)
            self._reminders.add(self.inbox, left - renew, mail.LimitNear(used.number))

    async def _await_moment(self, prepared: int) -> None:
        """A moment of silence in which everything is answered, or the last moment."""
        quiet = self._new_event()
        left = self._limit_at - self._deadlines.change - anyio.current_time()
        with anyio.move_on_after(max(left, 0)):
            self._ring.context.send(mail.WhenSilent(quiet, user_too=True))
            await quiet.wait()
        if self._next and self._next.number == prepared:
            self._fire(link.MomentCame())

    def _end(self, reason: str) -> None:
        """There is no server any more, and none will come."""
        if not reason and self._in_use and not self._in_use.over:
            self._fire_connection(self._in_use, connection.CloseAsked())  # comes here again when that is done
            return
        self.ended = True
        ended = mail.ConnectionEnded(reason or "the session was closed")
        self._ring.turn.send(ended)
        self._ring.context.send(ended)
        if reason:
            lost = SessionClosed(reason, connection_lost=not self._refused)
            self._fail(lost if self.decided.is_set() else self._failure or ConnectionFailed(reason))
        self.decided.set()
        self._interrupt_sending()


def _known(_event: object) -> None:
    """What the connection has seen to."""
