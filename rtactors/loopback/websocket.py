"""Real websockets for the server, on asyncio and on trio: accepts connections and gives each as a `ServerWebsocket`."""

import logging
import re
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.typing import Origin, Subprotocol

from rtactors.providers.base import Frame
from rtactors.transports.base import SocketClosed

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection as AsyncioConnection
    from websockets.trio.server import ServerConnection as TrioConnection

LARGEST_FRAME = 24 * 1024 * 1024
"""Bytes: the 15 MiB of audio that one event may hold are 20 MiB in base64."""
SUBPROTOCOL = Subprotocol("realtime")
"""What browsers ask for."""
CLOSING_S = 2.0
"""How long a client may take to say goodbye."""

_logger = logging.getLogger(__name__)
_logger.setLevel(logging.INFO)  # on DEBUG, websockets logs the request's headers, and with them the key


class ServerWebsocket:
    """One connection as a `rtactors.transports.base.Socket`."""

    def __init__(self, connection: "AsyncioConnection | TrioConnection") -> None:
        self._connection = connection

    @property
    def headers(self) -> dict[str, str]:
        """Those of the handshake."""
        request = self._connection.request
        return dict(request.headers.raw_items()) if request else {}

    async def send(self, frame: Frame) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> Frame:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        connection: Any = self._connection
        await (connection.aclose if hasattr(connection, "aclose") else connection.close)(code, reason)

    async def cut(self, frame: str, at_byte: int) -> None:
        """Send the first bytes of the frame and break the connection."""
        connection: Any = self._connection
        part = WebsocketFrame(Opcode.TEXT, frame.encode()).serialize(mask=False)[:at_byte]
        if hasattr(connection, "transport"):
            connection.transport.write(part)
            connection.transport.abort()
        else:
            await connection.stream.send_all(part)
            await anyio.aclose_forcefully(connection.stream)


def _closed(error: ConnectionClosed) -> SocketClosed:
    close = error.rcvd or error.sent
    return SocketClosed(close.code, close.reason) if close else SocketClosed(None, "the network broke")


@asynccontextmanager
async def serve_websockets(
    tasks: TaskGroup,
    listener: socket.socket,
    handle: Callable[[ServerWebsocket, str], Awaitable[None]],
    refuse: Callable[[Request], Response | None],
    *,
    origins: Sequence[Origin | re.Pattern[str] | None] | None,
) -> AsyncGenerator[None]:
    """Accept connections on `listener` until the block is left; then all are closed (1001) and waited for.

    `handle` gets each connection and the path it asked for; the connection lasts until it returns. `refuse` may answer
    a handshake with something else than a websocket.
    """

    async def on_connection(connection: Any) -> None:  # noqa: ANN401 - the same code for both backends' types
        await handle(ServerWebsocket(connection), connection.request.path)

    def check(_connection: object, request: Request) -> Response | None:
        return refuse(request)

    def choose(_connection: object, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return SUBPROTOCOL if SUBPROTOCOL in offered else None

    settings: dict[str, Any] = {
        "process_request": check,
        "select_subprotocol": choose,
        "origins": origins,
        "compression": None,
        "max_size": LARGEST_FRAME,
        "close_timeout": CLOSING_S,
        "logger": _logger,
    }
    if _in_trio():
        import trio
        from websockets.trio.server import serve as serve_trio  # noqa: PLC0415 - only one backend runs

        async def accept(*, task_status: Any) -> None:  # noqa: ANN401 - trio's, which has no type of anyio
            listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
            # aclose() waits for ever if what it closes was cancelled before
            with anyio.CancelScope(shield=True):
                await serve_trio(on_connection, listeners=listeners, task_status=task_status, **settings)

        server: Any = await tasks.start(accept)
        close = server.aclose
    else:
        from websockets.asyncio.server import serve as serve_asyncio  # noqa: PLC0415 - the same

        server = await serve_asyncio(on_connection, sock=listener, **settings)

        async def close() -> None:
            server.close()
            await server.wait_closed()

    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await close()


def _in_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_task()
