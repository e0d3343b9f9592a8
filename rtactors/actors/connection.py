"""One connection of the transport actor's: a socket, from the attempt to open it until it is over.

It sets the session up at the server, then hands over every event that comes. It decides nothing about the next one.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from msgspec.structs import replace

from rtactors import events
from rtactors.errors import ConnectionFailed
from rtactors.providers.base import Endpoint, Frame, Provider
from rtactors.transports.base import Connect, Socket, SocketClosed, listen
from statecharts import connection as chart
from statecharts.chart import Life
from statecharts.connection import CONNECTION, ConnectionEvent

_SENTENCES = {events.ProviderError, events.ResponseDone, events.InputTranscriptFailed, events.Unknown}
"""What holds words for people, by a server that may quote what it was sent: they go into errors and logs."""

Routes = Mapping[type, Callable[[Any], None]]
"""Who is told of an event, by its type."""


class Connection:
    """The `number`th of its session. `fire` lets an event of the connection chart happen to it.

    Who is told of what comes is in `routes` once it is `in_use`. Until then only its setting up is of interest.
    """

    def __init__(
        self,
        number: int,
        *,
        provider: Provider,
        connect: Connect,
        routes: Routes,
        fire: "Callable[[Connection, ConnectionEvent], None]",
    ) -> None:
        self.number = number
        self.life: Life = CONNECTION.start(f"connection {number}")
        self.failure: ConnectionFailed | None = None
        """Why it could not be opened."""
        self.expires_at: float | None = None
        """When the provider will end it, in unix seconds."""
        self.ready_at = math.inf
        """When it was set up, in seconds of the session's clock."""
        self.setup = events.Setup()
        """How its server is set up first."""
        self._in_use = routes
        self._routes: Routes = {
            events.SessionStarted: self._on_started,
            events.SessionConfigured: self._on_configured,
            events.ProviderError: self._on_error,
            events.Unknown: routes[events.Unknown],
        }
        self._provider = provider
        self._greets = provider.capabilities.greets
        self._connect = connect
        self._fire = fire
        self._socket: Socket | None = None
        self._setting_up: anyio.CancelScope | None = None
        self._to_send: list[Frame] = []

    @property
    def timed_out(self) -> bool:
        """Whether it could not be set up in time."""
        return self._setting_up is not None and self._setting_up.cancelled_caught

    @property
    def over(self) -> bool:
        return self.life.state in CONNECTION.final

    async def run(self, pause: float, patience: float) -> None:
        """Wait for `pause` seconds, then connect (within `patience` seconds) and receive until it is over."""
        if pause:
            await anyio.sleep(pause)
        try:
            with anyio.move_on_after(patience) as self._setting_up:
                endpoint = self._provider.endpoint()
                async with self._connect(endpoint) as self._socket:
                    self._fire(self, chart.Opened(self._greets))
                    await self._receive(self._socket, endpoint)
        except ConnectionFailed as failure:
            self.failure = failure
            self._fire(self, chart.Broken(str(failure), final=not failure.retryable))
        else:
            if self._setting_up.cancelled_caught:
                self._fire(self, chart.Expired())

    async def send(self, frame: Frame) -> None:
        """Send one; the end of the connection is told by its chart."""
        if self._socket is None or self.over:
            return
        try:
            await self._socket.send(frame)
        except SocketClosed as closed:
            self._fire(self, chart.Broken(str(closed)))

    async def retire(self) -> None:
        """Close it: another one takes its place."""
        self._fire(self, chart.CloseAsked())
        await self.finish()

    async def finish(self) -> None:
        """Close the socket: everything was sent."""
        if self._socket:
            await self._socket.close()
        self._fire(self, chart.Drained())

    def use(self) -> None:
        """From now on it is the session's."""
        self._routes = self._in_use

    def ignore(self) -> None:
        """What still comes from it is nobody's."""
        self._routes = {}

    def configure(self, setup: events.Setup) -> None:
        """Send our settings, as soon as what is being received was looked at."""
        self.setup = setup
        self._to_send += self._provider.configure(setup)

    def ready(self) -> None:
        """It is set up: what follows has no deadline."""
        self.ready_at = anyio.current_time()
        if self._setting_up:
            self._setting_up.deadline = math.inf

    async def _receive(self, socket: Socket, endpoint: Endpoint) -> None:
        decode = self._provider.decode

        def take(frame: Frame) -> bool:
            for event in decode(frame):
                if route := self._routes.get(type(event)):
                    route(_discreet(event, endpoint) if type(event) in _SENTENCES else event)
            return not (self._to_send or self.over)

        try:
            while not self.over:
                while self._to_send:  # while it is being set up; then it only reads
                    await socket.send(self._to_send.pop(0))
                await listen(socket, take)
        except SocketClosed as closed:
            self._fire(self, chart.Broken(str(closed)))

    # -- setting up

    def _on_started(self, event: events.SessionStarted) -> None:
        self.expires_at = event.expires_at
        self._fire(self, chart.Greeted(event.session_id, first=self._greets))

    def _on_configured(self, _event: events.SessionConfigured) -> None:
        self._fire(self, chart.Configured())

    def _on_error(self, error: events.ProviderError) -> None:
        """Whatever was refused, we would not be set up as we asked."""
        if error.kind == "malformed":
            self._in_use[events.ProviderError](error)
        else:
            self._fire(self, chart.Broken(error.message, final=error.kind == "fatal"))


def _discreet(event: events.ProviderEvent, endpoint: Endpoint) -> events.ProviderEvent:
    """The same without our keys."""
    told = {name: getattr(event, name) for name in ("message", "reason", "code", "name") if hasattr(event, name)}
    return replace(event, **{name: endpoint.without_secrets(text) for name, text in told.items() if text})
