"""A session with the embedded quicksilver server (V1), in memory or over sockets, which a test's script drives."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio

from rtactors import Session
from rtactors.alignment import EvenAligner
from rtactors.errors import RtactorsError
from rtactors.loopback.quicksilver import Line, MemoryQuicksilverServer, QuicksilverServer, Script
from rtactors.loopback.script import Gate
from rtactors.providers import QuicksilverRealtime
from rtactors.providers.base import Endpoint, Frame
from rtactors.session_events import SessionEvent
from rtactors.testing.stepped_sink import SteppedSink
from rtactors.transports.base import Connect, Socket


class Slow:
    """A network through which none of the user's audio goes out until the gate is open."""

    def __init__(self, socket: Socket, gate: Gate) -> None:
        self._socket = socket
        self._gate = gate
        self.receive = socket.receive
        self.close = socket.close

    async def send(self, frame: Frame) -> None:
        if "input_audio_buffer" in str(frame):
            await self._gate.passed()
        await self._socket.send(frame)


class Talk:
    """What a test holds of it."""

    def __init__(
        self, session: Session, server: MemoryQuicksilverServer | QuicksilverServer, sink: SteppedSink
    ) -> None:
        self.session = session
        self.server = server
        self.sink = sink
        self.virtual = isinstance(server, MemoryQuicksilverServer)
        """False if time is real."""
        self.events: list[SessionEvent] = []
        """All of the session's, once it is over."""
        self.failure: RtactorsError | None = None
        self._news = session.events()

    @property
    def line(self) -> Line:
        """The newest."""
        return self.server.lines[-1]

    @property
    def appended(self) -> list[str]:
        """What was appended to handoffs on this line, as it stood on the wire."""
        return [record.json["output_text"] for record in self.line.log.find("conversation.handoff.append")]

    async def tells(self, what: type[Any], count: int = 1) -> Any:
        """Until the session has told so many events of this type; gives the last of them."""
        found = [event for event in self.events if isinstance(event, what)]
        while len(found) < count:
            event = await anext(self._news)
            self.events.append(event)
            found += [event] if isinstance(event, what) else []
        return found[count - 1]

    async def over(self) -> None:
        self.events += [event async for event in self._news]


@asynccontextmanager
async def talk(
    script: Script,
    *,
    sockets: bool = False,
    raises: tuple[type[RtactorsError], ...] = (),
    provider: dict[str, Any] | None = None,
    network: Callable[[Socket], Socket] = lambda socket: socket,
    **options: Any,
) -> AsyncGenerator[Talk]:
    """`network` may stand between the two, in memory; `provider` are arguments of `QuicksilverRealtime`, `options` of
    the session.
    """
    with anyio.fail_after(30 if sockets else None):
        async with (QuicksilverServer if sockets else MemoryQuicksilverServer)(script) as server:
            if isinstance(server, MemoryQuicksilverServer):
                url, connect = "ws://memory/v1", partial(_through, network, server.connect)
            else:
                url, connect = server.url, None
            sink = SteppedSink()
            options = {"aligner": EvenAligner(), **options}  # its audio is a tone as long as the words
            settings: dict[str, Any] = {"api_key": "", "websocket_base_url": url, **(provider or {})}
            session = Session(QuicksilverRealtime(**settings), sink=sink, connect=connect, **options)
            one = Talk(session, server, sink)
            try:
                async with session:
                    yield one
            except raises as failure:
                one.failure = failure
            await one.over()


@asynccontextmanager
async def _through(network: Callable[[Socket], Socket], connect: Connect, endpoint: Endpoint) -> AsyncGenerator[Socket]:
    async with connect(endpoint) as socket:
        yield network(socket)
