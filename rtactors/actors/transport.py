"""The transport actor: one connection to the server.

It takes frames off the socket at once, always, and gives each event to the one it is for: audio and text straight to
their message, everything else to the response and the context actor. It sends commands, control before audio.
"""

import math
from collections.abc import Callable
from typing import Any

import anyio

from rtactors import events, mail
from rtactors.actor import Actor
from rtactors.channels import Inbox
from rtactors.errors import ConnectionFailed, RtactorsError, SessionClosed
from rtactors.events import Item, OutputStarted, ProviderError
from rtactors.operations import owner_of
from rtactors.providers.base import Provider
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import ConnectionChanged, Problem, Unhandled
from rtactors.transports.base import Connect, Socket, SocketClosed
from statecharts import connection as chart
from statecharts.connection import CONNECTION, ConnectionEvent


class TransportActor(Actor[mail.TransportMail]):
    """`decided` is set once the session is set up, or can't be; `closed` once the connection is over.

    `fail` is told why the connection ended, if we did not want it.
    """

    def __init__(
        self,
        ring: Ring,
        surroundings: Surroundings,
        *,
        provider: Provider,
        connect: Connect,
        fail: Callable[[RtactorsError], None],
    ) -> None:
        super().__init__(ring.transport, surroundings.publish)
        self.decided = anyio.Event()
        self.closed = anyio.Event()
        self._ring = ring
        self._provider = provider
        self._connect = connect
        self._fail = fail
        self._deadlines = surroundings.deadlines
        self._bounds = surroundings.bounds
        self._new_inbox = surroundings.inbox
        self._life = CONNECTION.start("connection")
        self._connecting: anyio.CancelScope | None = None
        self._ready = False
        self._messages: dict[str, Inbox[mail.MessageMail] | None] = {}  # None: it has ended, what comes is dropped
        self._live: dict[str, Inbox[mail.MessageMail]] = {}  # of these the few that may not have ended
        self._routes: dict[type, Callable[[Any], None]] = {
            events.AudioDelta: self._to_message,
            events.TextDelta: self._to_message,
            events.TextDone: self._to_message,
            events.AudioDone: self._to_message,
            events.OutputStarted: self._on_output_started,
            events.OutputDone: self._on_output_done,
            events.ResponseStarted: ring.response.send,
            events.ResponseDone: ring.response.send,
            events.SpeechStarted: ring.response.send,
            events.SpeechStopped: ring.response.send,
            events.ItemAdded: ring.context.send,
            events.ItemDone: ring.context.send,
            events.ItemTruncated: ring.context.send,
            events.ItemDeleted: ring.context.send,
            events.InputCommitted: self._on_input_committed,
            events.InputCleared: ring.response.send,
            events.InputTranscript: ring.context.send,
            events.InputTranscriptFailed: ring.context.send,
            events.SessionStarted: self._on_session_started,
            events.SessionConfigured: self._on_session_configured,
            events.ProviderError: self._on_error,
            events.Unknown: self._on_unknown,
        }

    async def run(self) -> None:
        """Connect, then send and receive until either side ends it."""
        try:
            with anyio.move_on_after(self._deadlines.connect) as connecting:
                self._connecting = connecting
                async with self._connect(self._provider.endpoint()) as socket:
                    self._fire(chart.Opened())
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._read, socket)
                        await self._write(socket)
                        tasks.cancel_scope.cancel()
        except ConnectionFailed as failure:
            self._fail(failure)
            self._fire(chart.Broken(str(failure)))
        else:
            if connecting.cancelled_caught:
                self._fire(chart.Expired())
        finally:
            self.inbox.close()
            self.closed.set()

    # -- sending

    async def _write(self, socket: Socket) -> None:
        try:
            while not self.ended:
                message = await self.inbox.receive()
                match message:
                    case mail.CloseConnection():
                        self._fire(chart.CloseAsked())
                    case mail.Configure():
                        for frame in self._provider.configure():
                            await socket.send(frame)
                    case _:
                        for frame in self._provider.encode(message):
                            await socket.send(frame)
                if self._life.state == "draining" and self.inbox.empty:
                    self._fire(chart.Drained())
            await socket.close()
        except SocketClosed as closed:
            self._on_closed(closed)

    # -- receiving

    async def _read(self, socket: Socket) -> None:
        decode = self._provider.decode
        routes = self._routes
        try:
            while not self.ended:
                for event in decode(await socket.receive()):
                    routes[type(event)](event)
        except SocketClosed as closed:
            self._on_closed(closed)

    def _to_message(self, event: events.AudioDelta | events.TextDelta | events.TextDone | events.AudioDone) -> None:
        if event.item_id in self._messages:
            inbox = self._messages[event.item_id]
        else:
            # A server that leaves the announcement out has made it with its first delta.
            item = Item(id=event.item_id, role="assistant", status="in_progress")
            inbox = self._open_message(OutputStarted(event.response_id, 0, item))
        if inbox is not None:
            inbox.send(event)

    def _on_output_started(self, event: OutputStarted) -> None:
        if event.item.kind == "message" and event.item.id not in self._messages:
            self._open_message(event)

    def _open_message(self, event: OutputStarted) -> Inbox[mail.MessageMail]:
        for ended in [item_id for item_id, inbox in self._live.items() if inbox.closed]:
            del self._live[ended]
            self._messages[ended] = None
        inbox: Inbox[mail.MessageMail] = self._new_inbox(f"message {event.item.id}", self._bounds.inbox)
        self._messages[event.item.id] = self._live[event.item.id] = inbox
        self._ring.response.send(mail.MessageOpened(event, inbox))
        return inbox

    def _on_output_done(self, event: events.OutputDone) -> None:
        item = event.item
        if item.kind != "message":
            self._ring.response.send(event)
            return
        if item.id not in self._messages:  # neither announced nor begun, and yet the server may hold it
            self._open_message(OutputStarted(event.response_id, event.output_index, item))
        if inbox := self._messages[item.id]:
            inbox.send(event)

    def _on_session_started(self, event: events.SessionStarted) -> None:
        self._fire(chart.Greeted(event.session_id))

    def _on_session_configured(self, _event: events.SessionConfigured) -> None:
        self._fire(chart.Configured())

    def _on_input_committed(self, event: events.InputCommitted) -> None:
        self._ring.context.send(event)
        self._ring.response.send(event)

    def _on_unknown(self, event: events.Unknown) -> None:
        self.publish(Unhandled(event.name))

    def _on_error(self, error: ProviderError) -> None:
        """To the operation that caused it; one without an owner is reported. Few end the session."""
        owner = owner_of(error.operation_id)
        refused = not self._ready and error.kind != "malformed"  # whatever it is, we would not be set up as we asked
        if error.kind in {"fatal", "expired"} or refused:
            self._fire(chart.Broken(error.message))
        elif owner == "context":
            self._ring.context.send(error)
        elif owner == "response":
            self._ring.response.send(error)
        else:
            operation = error.operation_id or ""
            self.publish(Problem(kind=error.kind, message=error.message, operation=operation, code=error.code))

    # -- the connection's life

    def _on_closed(self, closed: SocketClosed) -> None:
        self._fire(chart.Broken(str(closed)))

    def _fire(self, event: ConnectionEvent) -> None:
        before = self._life.state
        for effect in self.fire(CONNECTION, self._life, event):
            match effect:
                case chart.Configure():
                    self.inbox.urgent(mail.Configure())
                case chart.TellReady():
                    self._ready = True
                    if self._connecting:
                        self._connecting.deadline = math.inf
                    self.decided.set()
                case chart.TellClosed():
                    self._on_ended(effect.reason)
        if self._life.state != before:
            reason = event.reason if isinstance(event, chart.Broken) else ""
            self.publish(ConnectionChanged(self._life.state, reason, anyio.current_time()))

    def _on_ended(self, reason: str) -> None:
        self.ended = True
        self.inbox.urgent(mail.CloseConnection())  # wakes the writer
        ended = mail.ConnectionEnded(reason or "the session was closed")
        self._ring.response.send(ended)
        self._ring.context.send(ended)
        if reason:
            self._fail(SessionClosed(reason) if self._ready else ConnectionFailed(reason))
        self.decided.set()
