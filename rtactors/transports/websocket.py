"""Real websockets, on asyncio and on trio, through the `websockets` library.

Whatever goes wrong while connecting is told as `ConnectionFailed`, whatever ends an open connection as `SocketClosed`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from anyio import CancelScope, aclose_forcefully, get_cancelled_exc_class, move_on_after
from websockets.exceptions import ConnectionClosed

from rtactors.errors import ConfigurationError
from rtactors.providers.base import Endpoint, Frame
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.failures import connection_failed, reason

if TYPE_CHECKING:
    from rtactors.transports.direct import DirectConnection

MAX_MESSAGE_BYTES = 16 * 2**20
"""A longer message ends the connection with code 1009."""
OPEN_TIMEOUT_S = 10
"""How long proxy, TCP, TLS and HTTP together may take."""
KEEPALIVE_S = 20
"""How often the server is pinged, and how long its answer may take."""
CLOSE_TIMEOUT_S = 1
"""How long the closing handshake may take before the connection is cut."""
READ_BYTES = 2**16
"""asyncio allocates this much for each read; its own 256 KiB cost more CPU than everything else done for an event."""
MAX_REASON_BYTES = 123
"""What a close frame can hold besides its code."""

_logger = logging.getLogger(__name__)
_logger.setLevel(logging.INFO)  # on DEBUG, websockets logs the request's headers, and with them the key
_logger.addFilter(lambda record: record.msg != "keepalive ping failed")  # with a traceback; a SocketClosed tells it


@asynccontextmanager
async def connect(
    endpoint: Endpoint, *, open_timeout: float = OPEN_TIMEOUT_S, keepalive: float = KEEPALIVE_S
) -> AsyncGenerator[Socket]:
    """Open a websocket. Leaving the block closes it; leaving it by cancellation cuts it, without a handshake.

    Proxies are taken from the environment (`HTTPS_PROXY`, `SOCKS_PROXY`, `NO_PROXY`), but never for addresses of this
    machine. A ping is sent every `keepalive` seconds; if its pong takes longer than that, the connection ends with code
    1011. Nothing else finds out that a network has gone without a word: it takes up to twice as long. A network that
    does not take a frame within that time has gone, too: `websockets` itself would wait for it to take the ping.

    A cancelled `receive` loses nothing. A cancelled `send` has sent its frame or, on trio, cut the connection: half of
    the frame may be on its way, and the other side would take whatever follows for the other half.

    Certificates are verified, with the system's CAs (or those of SSL_CERT_FILE and SSL_CERT_DIR), and so is the host.

    Raises:
        ConfigurationError: a key would go unencrypted to another machine (see `Endpoint.allow_unencrypted`).
        ConnectionFailed: whatever else the reason; `retryable` says whether to try again may help.

    """
    _check_encrypted(endpoint)
    # anyio runs on one of two backends; this tells which, and imports neither.
    open_socket = _open_asyncio if get_cancelled_exc_class() is asyncio.CancelledError else _open_trio
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(open_socket(endpoint, open_timeout, keepalive))
        except Exception as error:  # noqa: BLE001 - nothing is lost: each becomes a ConnectionFailed that tells it
            raise connection_failed(endpoint, error, open_timeout) from None  # what is told there may hold the key
        yield opened


@asynccontextmanager
async def _open_asyncio(endpoint: Endpoint, open_timeout: float, keepalive: float) -> AsyncGenerator[Socket]:
    from websockets.asyncio.client import connect  # noqa: PLC0415 - one backend runs, the other isn't imported

    from rtactors.transports.direct import DirectConnection  # noqa: PLC0415 - the same

    connecting = connect(
        **_options(endpoint, open_timeout, keepalive),
        create_connection=cast("Any", partial(DirectConnection, max_bytes=MAX_MESSAGE_BYTES)),  # a function will do
    )
    connection = cast("DirectConnection", await connecting)
    if hasattr(connection.transport, "max_size"):  # TLS and uvloop have other ways to read
        connection.transport.max_size = READ_BYTES  # pyright: ignore[reportAttributeAccessIssue] asked above
    opened = _AsyncioSocket(connection, connection.close, keepalive, endpoint)
    try:
        yield opened
    except get_cancelled_exc_class():
        connection.transport.abort()
        raise
    finally:
        with CancelScope(shield=True):  # CLOSE_TIMEOUT_S is the limit
            await opened.close()


@asynccontextmanager
async def _open_trio(endpoint: Endpoint, open_timeout: float, keepalive: float) -> AsyncGenerator[Socket]:
    from websockets.trio.client import connect  # noqa: PLC0415 - trio is optional

    async with connect(**_options(endpoint, open_timeout, keepalive)) as connection:
        opened = _TrioSocket(connection, connection.aclose, keepalive, endpoint)
        try:
            yield opened
        finally:
            await opened.close()
            if connection.recv_flow_control is not None:  # where nobody took what came, it waits for room, for ever
                connection.resume_reading()


def _check_encrypted(endpoint: Endpoint) -> None:
    """Whoever is on the way could read the key, and use it."""
    encrypted = endpoint.url.partition(":")[0].lower() != "ws"
    if encrypted or endpoint.allow_unencrypted or _on_this_machine(endpoint.url) or not endpoint.all_secrets:
        return
    where = endpoint.without_secrets(endpoint.url.partition("?")[0])
    raise ConfigurationError(
        f"the key would go unencrypted to {where}: use https:// or wss://, or a tunnel to this machine; in a network "
        "where nobody listens, allow_unencrypted=True sends it all the same (rtactors talk: --allow-unencrypted)"
    )


def _options(endpoint: Endpoint, open_timeout: float, keepalive: float) -> dict[str, Any]:
    """The arguments for the `connect` of either backend."""
    for name, value in endpoint.headers.items():
        if not value.isprintable():
            raise ValueError(f"the header {name} holds a line break or another invisible character")
    return {
        "uri": endpoint.url,
        "additional_headers": endpoint.headers,
        "subprotocols": endpoint.subprotocols or None,
        "proxy": None if _on_this_machine(endpoint.url) else True,  # as the environment says
        "compression": None,  # base64 of audio hardly shrinks
        "max_size": MAX_MESSAGE_BYTES,
        "open_timeout": open_timeout,
        "close_timeout": CLOSE_TIMEOUT_S,
        "ping_interval": keepalive,
        "ping_timeout": keepalive,
        "logger": _logger,
    }


def _on_this_machine(url: str) -> bool:
    """A proxy would look for such an address on its own machine."""
    host = ""
    try:
        host = urlsplit(url).hostname or ""
        address = ip_address(host)
    except ValueError:  # a name, or no URL at all, which is told when it is opened
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


class _Socket:
    def __init__(self, connection: Any, close: Any, patience: float, endpoint: Endpoint) -> None:  # noqa: ANN401 - of either backend, alike in these methods
        self._connection = connection
        self._close = close
        self._patience = patience
        self._endpoint = endpoint

    async def send(self, frame: Frame) -> None:
        try:
            with move_on_after(self._patience) as patience:
                await self._connection.send(frame)
        except ConnectionClosed as error:
            raise self._closed(error) from None  # what is told there may hold the key
        if patience.cancelled_caught:
            await self._cut()
            raise SocketClosed(None, f"the network took nothing for {self._patience:g} s")

    async def receive(self) -> Frame:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise self._closed(error) from None  # what is told there may hold the key

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))

    async def _cut(self) -> None:
        self._connection.transport.abort()

    def _closed(self, error: ConnectionClosed) -> SocketClosed:
        """Whoever closed first has said why; if nobody did, the network broke."""
        close = error.sent if error.rcvd is None or error.rcvd_then_sent is False else error.rcvd
        if close is None:
            return SocketClosed(None, reason(error.__cause__) if error.__cause__ else "the connection broke off")
        return SocketClosed(close.code, self._endpoint.without_secrets(close.reason))


class _AsyncioSocket(_Socket):
    async def send(self, frame: Frame) -> None:
        if not self._connection.send_at_once(frame):
            await super().send(frame)

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        try:
            await self._connection.listen(take)
        except ConnectionClosed as error:
            raise self._closed(error) from None  # as above


class _TrioSocket(_Socket):
    async def send(self, frame: Frame) -> None:
        try:
            await super().send(frame)
        except get_cancelled_exc_class():
            await self._cut()
            raise

    async def _cut(self) -> None:
        await aclose_forcefully(self._connection.stream)
