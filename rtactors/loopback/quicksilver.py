"""An embedded server of the quicksilver protocol (V1): it says what a script lets it, in memory or over websockets.

    async def errand(line: Line) -> None:
        await line.user_says("list the files")
        await line.hand_off("list the files")
        await line.agent_says("One moment.")
        await line.agent_says(await line.appended())

    async with QuicksilverServer(errand) as server:
        provider = QuicksilverRealtime(api_key="", websocket_base_url=server.url)

It understands no speech and generates none: audio is a tone as long as the words. Without a script it is a secretary,
who hands over whatever the user writes, and reads out what comes back.
"""

import math
import socket
from array import array
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from http import HTTPStatus
from typing import TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
from websockets.http11 import Request, Response

from rtactors.loopback.host import PATH, Host, refusal
from rtactors.loopback.log import Log
from rtactors.loopback.websocket import ServerWebsocket, serve_websockets
from rtactors.providers.base import Endpoint
from rtactors.providers.quicksilver import wire
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.memory import socket_pair

RATE = 24_000
"""Hz of its audio."""
MS_PER_CHARACTER = 60
"""How fast it speaks."""
_CHUNK_MS = 100
FINAL = '"Agent Final Message":\n\n'
"""What an agent's last words begin with."""

T = TypeVar("T")


class Line:
    """The server's side of one connection: what it hears, and what it lets the user and the model say."""

    def __init__(self, socket: Socket, url: str, headers: dict[str, str], number: int) -> None:
        self.url = url
        self.headers = headers
        self.log = Log(keep=True)
        """All that passes."""
        self.heard = 0
        """Bytes of the user's voice."""
        self.closed = anyio.Event()
        self._socket = socket
        self._number = number
        self._count = 0
        self._appended: deque[wire.ConversationHandoffAppend] = deque()
        self._written: deque[str] = deque()
        self._news = anyio.Event()

    # -- what it is told

    async def appended(self) -> str:
        """The next text of the agent, as it stands on the wire."""
        return (await self._next(self._appended)).output_text

    async def written(self) -> str:
        """The next message that the user writes."""
        return await self._next(self._written)

    # -- what it says

    async def user_says(self, *pieces: str) -> None:
        """Pieces of what the user says, as they are understood."""
        for piece in pieces:
            await self.send(wire.InputTranscriptDelta(delta=piece))

    async def turn_marked(self, text: str) -> None:
        """The user has finished, and said all this."""
        await self.send(wire.InputTranscriptTurnMarked(transcript=text))

    async def agent_says(self, text: str) -> None:
        """A message of the model's, from its announcement to its end."""
        item = await self.agent_begins()
        await self.agent_goes_on(text)
        await self.agent_ends(item)

    async def agent_begins(self) -> str:
        """Announce a message; gives the id of its item."""
        item_id = self._new_id("item")
        await self.send(wire.ConversationItemAdded(item=wire.Item(type="message", id=item_id, role="assistant")))
        return item_id

    async def agent_goes_on(self, text: str) -> None:
        """Words, and their sound."""
        await self.send(wire.OutputTranscriptDelta(delta=text))
        for start in range(0, len(text) * MS_PER_CHARACTER, _CHUNK_MS):
            ms = min(_CHUNK_MS, len(text) * MS_PER_CHARACTER - start)
            await self.send(wire.OutputAudioDelta(delta=_tone(ms), sample_rate=RATE, channels=1))

    async def agent_ends(self, item_id: str) -> None:
        await self.send(wire.ConversationItemDone(item=wire.Item(type="message", id=item_id, role="assistant")))

    async def hand_off(self, text: str, handoff_id: str = "") -> str:
        """Ask the agent for something; gives the id under which."""
        handoff_id = handoff_id or self._new_id("handoff")
        item_id = self._new_id("item")
        await self.send(wire.HandoffRequested(handoff_id=handoff_id, item_id=item_id, input_transcript=text))
        return handoff_id

    async def send(self, event: wire.ServerEvent) -> None:
        """Any event. Raises SocketClosed."""
        self.log.add(event, event.__struct_config__.tag, sent=True)  # pyright: ignore[reportArgumentType]  each type has one
        await self.send_frame(wire.encoder.encode(event).decode())

    async def send_frame(self, frame: str) -> None:
        """Whatever it is."""
        await self._socket.send(frame)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)

    # -- its life

    async def run(self, script: "Script") -> None:
        """Until the client has gone. A script that ends leaves the line open."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._act, script)
                while True:
                    await self._handle(await self._socket.receive())
        except* SocketClosed:
            pass
        finally:
            self.closed.set()

    async def _act(self, script: "Script") -> None:
        await self.log.wait("session.update")
        await script(self)

    async def _handle(self, frame: str | bytes) -> None:
        try:
            event: wire.ClientEvent = wire.client_decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self.log.add(frame, "", sent=False)
            await self.send(wire.ServerError(message=f"The event could not be read: {error}"))
            return
        match event:
            case wire.SessionUpdate():
                session = event.session
                told = wire.SessionInfo(id=f"sess_{self._number:06}", instructions=session.instructions)
                await self.send(wire.SessionUpdated(session=told))
            case wire.InputAudioBufferAppend():
                self.heard += len(event.audio)
            case wire.ConversationItemCreate():
                if event.item.role == "user":
                    self._written.append("".join(part.text or "" for part in event.item.content))
            case wire.ConversationHandoffAppend():
                self._appended.append(event)
        self.log.add(event, event.__struct_config__.tag, sent=False)  # pyright: ignore[reportArgumentType]  each type has one
        self._news.set()
        self._news = anyio.Event()

    async def _next(self, waiting: deque[T]) -> T:
        while not waiting:
            await self._news.wait()
        return waiting.popleft()

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._number:06}_{self._count:04}"


Script: TypeAlias = Callable[[Line], Awaitable[None]]
"""What a server does on a line once that is set up."""


async def secretary(line: Line) -> None:
    """Hands over what the user writes, and reads out what comes back."""

    async def hand_over() -> None:
        while True:
            await line.hand_off(await line.written())
            await line.agent_says("One moment.")

    async def read_out() -> None:
        while True:
            await line.agent_says((await line.appended()).removeprefix(FINAL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hand_over)
        tasks.start_soon(read_out)


class _Lines(Host):
    """What both servers are: the lines that they serve."""

    def __init__(self, script: Script = secretary) -> None:
        super().__init__()
        self.lines: list[Line] = []
        """In the order in which they began."""
        self._script = script

    async def _serve(self, connection: Socket, url: str, headers: dict[str, str]) -> None:
        line = Line(connection, url, headers, len(self.lines) + 1)
        self.lines.append(line)
        try:
            await line.run(self._script)
        finally:
            with anyio.CancelScope(shield=True):
                await connection.close()


class MemoryQuicksilverServer(_Lines):
    """Serves without a network: for virtual time."""

    @asynccontextmanager
    async def connect(self, endpoint: Endpoint) -> AsyncGenerator[Socket]:
        """As a `rtactors.transports.base.Connect`."""
        client, ours = socket_pair()
        self._tasks.start_soon(self._serve, ours, endpoint.url, dict(endpoint.headers))
        try:
            yield client
        finally:
            await client.close()


class QuicksilverServer(_Lines):
    """Serves websockets at `url`, for this machine alone, on asyncio and trio."""

    def __init__(self, script: Script = secretary, *, port: int = 0) -> None:
        super().__init__(script)
        self._port = port

    @property
    def url(self) -> str:
        """The base URL for websockets."""
        return f"ws://127.0.0.1:{self._port}/v1"

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[None]:
        with socket.create_server(("127.0.0.1", self._port)) as listener:
            self._port = listener.getsockname()[1]
            async with anyio.create_task_group() as acceptors, super()._run():
                accept = partial(serve_websockets, acceptors, listener, self._handle, self._refuse)
                async with accept(origins=[None]):
                    yield

    async def _handle(self, connection: ServerWebsocket, path: str) -> None:
        """The connection lasts as long as the line."""
        await self._among_ours(partial(self._serve, connection, path, connection.headers))

    def _refuse(self, request: Request) -> Response | None:
        """None if it is what this protocol asks for."""
        parts = urlsplit(request.path)
        if parts.path != PATH:
            return refusal(HTTPStatus.NOT_FOUND, f"Invalid URL (GET {parts.path})")
        if parse_qs(parts.query).get("intent") != ["quicksilver"]:
            return refusal(HTTPStatus.BAD_REQUEST, "This server takes ?intent=quicksilver alone.")
        return None


@cache
def _tone(ms: int) -> bytes:
    return array("h", (int(4000 * math.sin(i * 0.06)) for i in range(ms * RATE // 1000))).tobytes()
