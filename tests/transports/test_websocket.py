"""Over real sockets: a websocket server, or something worse, in a thread; the client on asyncio, uvloop and trio."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.utils import accept_key

from rtactors.errors import ConfigurationError, ConnectionFailed
from rtactors.providers.base import Endpoint, Frame
from rtactors.testing.clock import Backend, real_backends
from rtactors.transports.base import Socket, SocketClosed, listen
from rtactors.transports.websocket import connect

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

KEY = "sk-verysecret"
STARS = "*" * len(KEY)
BACKENDS: list[Backend] = real_backends()
if find_spec("uvloop"):
    BACKENDS.append(("asyncio", {"use_uvloop": True}))
CERTIFICATE = Path(__file__).parent / "localhost.pem"  # self-signed, with its key: for these tests only


Receive: TypeAlias = Callable[[Socket], Coroutine[Any, Any, Frame]]


async def receive_next(opened: Socket) -> Frame:
    return await opened.receive()


async def hear(opened: Socket) -> Frame:
    """The next message, by listening until it comes."""
    heard: list[Frame] = []

    def take(frame: Frame) -> bool:
        heard.append(frame)
        return False

    await listen(opened, take)
    assert len(heard) == 1
    return heard[0]


@pytest.fixture(params=BACKENDS, ids=lambda backend: "uvloop" if backend[1] else backend[0])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture(params=[receive_next, hear], ids=["receive", "listen"])
def receive(request: pytest.FixtureRequest) -> Receive:
    """Both ways to get the next message."""
    return request.param


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "SOCKS_PROXY", "WS_PROXY", "WSS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextmanager
def websocket_server(handler: Callable[[ServerConnection], None], **options: Any) -> Generator[Endpoint]:
    def handle(connection: ServerConnection) -> None:
        try:
            handler(connection)
        except ConnectionClosed as closed:
            closes.append(closed)
        ended.set()

    closes.clear()
    ended = threading.Event()
    with serve(handle, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        yield Endpoint(url=f"ws://127.0.0.1:{port}/v1?model=m", headers={"Authorization": f"Bearer {KEY}"})
        server.shutdown()
        thread.join()


closes: list[ConnectionClosed] = []
"""How the connections of the current server ended."""


@contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Generator[int]:
    """A server that can do anything: `talk` to each connection, then hang up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                talk(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def echo(connection: ServerConnection) -> None:
    for frame in connection:
        connection.send(frame)


async def refused(endpoint: Endpoint, **options: float) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as caught:
        async with connect(endpoint, **options):
            pass
    assert KEY not in str(caught.value)
    return caught.value


# ---------------------------------------------------------------------------------------------------- open sockets


async def test_text_and_bytes_go_both_ways(receive: Receive) -> None:
    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened:
            for frame in ("", "text ü", b"\x00\xff", "x" * 1_000_000):
                await opened.send(frame)
                assert await receive(opened) == frame
    assert closes == []  # it ended properly, with 1000


async def test_headers_query_and_subprotocols_reach_the_server(receive: Receive) -> None:
    seen: list[Request] = []

    def look(connection: ServerConnection) -> None:
        assert connection.request
        seen.append(connection.request)
        connection.send(str(connection.subprotocol))

    with websocket_server(look, subprotocols=["realtime"]) as server:
        endpoint = Endpoint(url=server.url, headers=server.headers, subprotocols=("realtime", "other"))
        async with connect(endpoint) as opened:
            assert await receive(opened) == "realtime"
    assert seen[0].path == "/v1?model=m"
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers


async def test_ten_mebibytes_are_one_frame_like_any_other(receive: Receive) -> None:
    with websocket_server(echo, max_size=None) as endpoint:
        async with connect(endpoint) as opened:
            await opened.send(bytes(10 * 2**20))
            assert len(await receive(opened)) == 10 * 2**20


async def test_a_frame_beyond_the_limit_closes_with_1009(receive: Receive) -> None:
    with websocket_server(lambda connection: connection.send(bytes(17 * 2**20))) as endpoint:
        async with connect(endpoint) as opened:
            with pytest.raises(SocketClosed) as caught:
                await receive(opened)
    assert caught.value.code == 1009
    assert "16777216 bytes" in caught.value.reason


async def test_the_servers_close_is_told_with_code_and_reason_after_what_it_sent_before(receive: Receive) -> None:
    def say_and_close(connection: ServerConnection) -> None:
        connection.send("last words")
        connection.close(4001, "session expired")

    with websocket_server(say_and_close) as endpoint:
        async with connect(endpoint) as opened:
            assert await receive(opened) == "last words"
            for operation in (lambda: receive(opened), lambda: opened.send("too late"), lambda: receive(opened)):
                with pytest.raises(SocketClosed) as caught:
                    await operation()
                assert (caught.value.code, caught.value.reason) == (4001, "session expired")


async def test_our_own_close_is_told_to_both_sides(receive: Receive) -> None:
    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened:
            await opened.close(4002, "é" * 100)  # too long for a close frame
            with pytest.raises(SocketClosed) as caught:
                await receive(opened)
            assert caught.value.code == 4002
            await opened.close()
    assert [(closed.rcvd.code, closed.rcvd.reason) for closed in closes if closed.rcvd] == [(4002, "é" * 61)]


async def test_a_waiting_receive_ends_when_we_close(receive: Receive) -> None:
    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened, anyio.create_task_group() as tasks:

            async def wait() -> None:
                with pytest.raises(SocketClosed) as caught:
                    await receive(opened)
                assert caught.value.code == 1000

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await opened.close()


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end of stream"])
async def test_a_broken_network_has_no_code(receive: Receive, *, reset: bool) -> None:
    def hang_up(connection: ServerConnection) -> None:
        connection.recv()
        if reset:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.socket.shutdown(socket.SHUT_RD if reset else socket.SHUT_WR)
        connection.socket.close()

    with websocket_server(hang_up) as endpoint:
        async with connect(endpoint) as opened:
            await opened.send("hello")
            with pytest.raises(SocketClosed) as caught:
                await receive(opened)
            assert caught.value.code is None
            assert caught.value.reason
            with pytest.raises(SocketClosed):
                await opened.send("anybody there?")


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\xc1\x00", 1002), (b"\x81\x01\xff", 1007), (b"\x83\x00", 1002)],
    ids=["reserved bit", "text that is not UTF-8", "unknown opcode"],
)
async def test_a_breach_of_the_protocol_closes_with_its_code(receive: Receive, frame: bytes, code: int) -> None:
    def breach(connection: ServerConnection) -> None:
        connection.socket.sendall(frame)
        connection.recv()

    with websocket_server(breach) as endpoint:
        async with connect(endpoint) as opened:
            with pytest.raises(SocketClosed) as caught:
                await receive(opened)
    assert caught.value.code == code


async def test_a_cancelled_receive_loses_nothing(receive: Receive) -> None:
    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await receive(opened)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(receive, opened)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            await opened.send("still there")
            assert await receive(opened) == "still there"


async def test_a_cancelled_send_leaves_no_half_frame() -> None:
    received: list[object] = []
    listen = threading.Event()

    def listen_late(connection: ServerConnection) -> None:
        listen.wait()
        received.extend(len(frame) for frame in connection)

    sent, cut = 0, False
    with websocket_server(listen_late, max_size=None) as endpoint:
        async with connect(endpoint) as opened:
            try:
                with anyio.move_on_after(0.1):  # until every buffer on the way is full
                    while True:
                        await opened.send(bytes(2**20))
                        sent += 1
            finally:
                listen.set()
            try:
                await opened.send(b"1")
            except SocketClosed:
                cut = True
    # On asyncio the frame went whole and others may follow, on trio the connection was cut.
    assert received in ([2**20] * sent, [2**20] * (sent + 1)) if cut else received == [2**20] * (sent + 1) + [1]


async def test_leaving_by_cancellation_cuts_the_connection_at_once(receive: Receive) -> None:
    with websocket_server(echo) as endpoint:
        with anyio.CancelScope() as scope:
            async with connect(endpoint) as opened:
                await opened.send("hello")
                assert await receive(opened) == "hello"
                scope.cancel()
                await receive(opened)
        assert scope.cancelled_caught
    assert [closed.rcvd for closed in closes] == [None]


async def test_an_error_inside_passes_as_it_is() -> None:
    with websocket_server(echo) as endpoint, pytest.raises(ConnectionResetError, match="mine"):
        async with connect(endpoint):
            raise ConnectionResetError("mine")


async def test_a_connection_attempt_can_be_cancelled() -> None:
    accepted = threading.Event()
    release = threading.Event()

    def silent(_: socket.socket) -> None:
        accepted.set()
        release.wait()

    async def attempt() -> None:
        async with connect(Endpoint(url=f"ws://127.0.0.1:{port}")):
            pass

    with tcp_server(silent) as port:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(attempt)
            await anyio.to_thread.run_sync(accepted.wait)
            tasks.cancel_scope.cancel()
        release.set()


# ------------------------------------------------------------------------------------------------------- listening


def frame(first: int, payload: bytes) -> bytes:
    """As a server sends it: the first byte is the opcode, and 0x80 if it is the last of its message."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 2**16:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


TEXT, BYTES, TEXT_BEGINS, GOES_ON, ENDS, CLOSE, PING, PONG = 0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A
STREAM: list[tuple[bytes, Frame | None]] = [
    (frame(TEXT, b"hello"), "hello"),
    (frame(TEXT, b""), ""),
    (frame(BYTES, b""), b""),
    (frame(PING, b"there?"), None),
    (frame(TEXT, "ü".encode() * 62), "ü" * 62),
    (frame(BYTES, b"\xff" * 125), b"\xff" * 125),
    (frame(BYTES, b"\x81" * 126), b"\x81" * 126),
    (frame(PONG, b""), None),
    (frame(TEXT_BEGINS, b"in parts: \xc3"), None),
    (frame(PING, b"in between"), None),
    (frame(GOES_ON, b"\xbc"), None),
    (frame(ENDS, b"!"), "in parts: ü!"),
    (frame(TEXT, b"done"), "done"),
]
"""What a server may send: frames, and the message that is complete with each."""
LONG: list[tuple[bytes, Frame | None]] = [
    (frame(TEXT, b"x" * 65_535), "x" * 65_535),
    (frame(BYTES, b"y" * 65_536), b"y" * 65_536),
    (frame(TEXT, b"short"), "short"),
]


@pytest.mark.parametrize(
    ("stream", "read_bytes"),
    [(STREAM, 1), (STREAM, 2), (STREAM, 3), (STREAM, 2**16), (LONG + STREAM, 1000), (LONG + STREAM, 2**16)],
    ids=lambda given: f"{given} a read" if isinstance(given, int) else "",
)
async def test_all_that_is_sent_is_heard_in_order(
    stream: list[tuple[bytes, Frame | None]], read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is cut: asyncio reads as much at once as it is told, uvloop and trio as they like."""
    monkeypatch.setattr("rtactors.transports.websocket.READ_BYTES", read_bytes)

    def send(connection: ServerConnection) -> None:
        connection.recv()
        connection.socket.sendall(b"".join(wire for wire, _ in stream))
        connection.close(4000)

    with websocket_server(send) as endpoint:
        async with connect(endpoint) as opened:
            await opened.send("go on")
            heard, closed = await hear_all(opened)
    assert heard == [message for _, message in stream if message is not None]
    assert closed.code == 4000


async def hear_all(opened: Socket) -> tuple[list[Frame], SocketClosed]:
    heard: list[Frame] = []

    def take(message: Frame) -> bool:
        heard.append(message)
        return True

    with pytest.raises(SocketClosed) as caught:
        await listen(opened, take)
    return heard, caught.value


def response(request: bytes) -> bytes:
    """A server's answer to a client that opens a websocket."""
    key = request.decode().partition("Sec-WebSocket-Key: ")[2].partition("\r")[0]
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("read_bytes", [1, 2, 3, 2**16], ids=lambda count: f"{count} a read")
async def test_a_server_may_speak_right_behind_its_http_response(
    read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may be cut anywhere."""
    monkeypatch.setattr("asyncio.selector_events._SelectorSocketTransport.max_size", read_bytes)
    heard_first = threading.Event()

    def talk(connection: socket.socket) -> None:
        both = frame(TEXT, b"first") + frame(TEXT, b"second")
        connection.sendall(response(connection.recv(2**16)) + both[:-3])
        heard_first.wait()
        connection.sendall(both[-3:] + frame(CLOSE, (4000).to_bytes(2)))
        connection.recv(2**16)

    with tcp_server(talk) as port:
        async with connect(Endpoint(url=f"ws://127.0.0.1:{port}/")) as opened:
            assert await hear(opened) == "first"
            heard_first.set()
            heard, closed = await hear_all(opened)
    assert heard == ["second"]
    assert closed.code == 4000


async def test_who_has_heard_enough_is_told_no_more_and_the_rest_can_be_received() -> None:
    def count(connection: ServerConnection) -> None:
        connection.socket.sendall(b"".join(frame(TEXT, str(number).encode()) for number in range(6)))
        connection.close()

    heard: list[Frame] = []

    def take(message: Frame) -> bool:
        heard.append(message)
        return len(heard) < 2

    with websocket_server(count) as endpoint:
        async with connect(endpoint) as opened:
            await listen(opened, take)
            assert heard == ["0", "1"]
            assert [await opened.receive(), await hear(opened), await opened.receive()] == ["2", "3", "4"]
            assert (await hear_all(opened))[0] == ["5"]


async def test_what_whoever_listens_raises_is_raised_and_the_rest_can_be_received() -> None:
    def take(message: Frame) -> bool:
        raise ValueError(message)

    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened:
            for frame in ("one", "two", "three"):
                await opened.send(frame)
            for each in ("one", "two"):
                with pytest.raises(ValueError, match=each):
                    await listen(opened, take)
            assert await opened.receive() == "three"


async def test_an_error_is_raised_though_whoever_listened_has_left() -> None:
    with websocket_server(echo) as endpoint:
        async with connect(endpoint) as opened:
            await opened.send("leave")
            with anyio.CancelScope() as scope:

                def take(message: Frame) -> bool:
                    scope.cancel()
                    raise ValueError(message)

                with pytest.raises(ValueError, match="leave"):
                    await listen(opened, take)


async def test_whoever_listens_may_do_all_but_wait() -> None:
    """As in a task, also in that of an app that uses no anyio: it is asked who runs."""
    mark: ContextVar[str] = ContextVar("mark", default="nobody's")
    done: list[object] = []

    async def converse(endpoint: Endpoint) -> None:
        async def set_event(event: anyio.Event) -> None:
            event.set()

        def take(message: Frame) -> bool:
            event = anyio.Event()
            tasks.start_soon(set_event, event)
            done.extend((message, mark.get(), anyio.current_time() > 0, event))
            return False

        async with connect(endpoint) as opened, anyio.create_task_group() as tasks:
            mark.set("ours")
            await opened.send("hello")
            await listen(opened, take)

    with websocket_server(echo) as endpoint:
        if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
            await anyio.to_thread.run_sync(asyncio.run, converse(endpoint))
        else:
            await converse(endpoint)
    *told, event = done
    assert told == ["hello", "ours", True]
    assert isinstance(event, anyio.Event)
    assert event.is_set()


async def test_a_server_that_sends_without_pause_leaves_others_their_turn() -> None:
    """Of what waits in all buffers on the way no more is taken at once than uvloop reads at once."""
    if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
        pytest.skip("it is told in no turn of trio's")
    full = threading.Event()
    sizes: list[int] = []
    at_once: list[int] = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(response(connection.recv(2**16)) + frame(TEXT, b"hello"))
        connection.settimeout(0.2)
        with suppress(OSError):  # nobody reads
            for _ in range(64):
                connection.sendall(frame(BYTES, bytes(1000)) * 256)
        full.set()

    def take(message: Frame) -> bool:
        if not sizes:
            full.wait(30)
            asyncio.get_running_loop().call_soon(lambda: at_once.append(sum(sizes)))
        sizes.append(len(message))
        return not at_once

    with tcp_server(flood) as port:
        async with connect(Endpoint(url=f"ws://127.0.0.1:{port}/")) as opened:
            with suppress(SocketClosed):
                await listen(opened, take)
    assert at_once[0] <= 2 * 256_000


async def test_a_server_has_to_wait_for_whoever_does_not_receive() -> None:
    """What nobody takes stays with the server, once all buffers on the way are full."""
    full = threading.Event()
    heard = threading.Event()

    def flood(connection: socket.socket) -> None:
        connection.sendall(response(connection.recv(2**16)) + frame(TEXT, b"hello"))
        heard.wait()
        connection.settimeout(0.2)
        with suppress(TimeoutError):
            for _ in range(256):
                connection.sendall(frame(BYTES, bytes(2**20)))
            return
        full.set()

    with tcp_server(flood) as port:
        async with connect(Endpoint(url=f"ws://127.0.0.1:{port}/")) as opened:
            assert await hear(opened) == "hello"
            heard.set()
            await anyio.to_thread.run_sync(full.wait, 30)
    assert full.is_set()


# ----------------------------------------------------------------------------------------- ways that it does not open


async def test_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = await refused(Endpoint(url=f"ws://127.0.0.1:{port}/v1"))
    assert f"nothing answers at ws://127.0.0.1:{port}/v1 (Connection refused): check that the server" in str(error)
    assert error.retryable


async def test_connection_refused_by_name_over_both_protocols() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "(Connection refused)" in str(await refused(Endpoint(url=f"ws://localhost:{port}")))


async def test_unknown_host() -> None:
    error = await refused(Endpoint(url="ws://no-such-host.invalid/v1"))
    assert "the host of ws://no-such-host.invalid/v1 was not found" in str(error)
    assert error.retryable


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/v1",
        "api.example",
        "",
        "wss://",
        f"wss://:{KEY}@/",
        "ws://h:port/",
        "ws://" + "a" * 64 + "/",
    ],
)
async def test_bad_url(url: str) -> None:
    error = await refused(Endpoint(url=f"{url}?key={KEY}", allow_unencrypted=True))
    assert str(error)
    assert not error.retryable


async def test_a_key_with_a_line_break() -> None:
    error = await refused(Endpoint(url="ws://127.0.0.1:9", headers={"Authorization": f"Bearer {KEY}\n"}))
    assert "the header Authorization holds a line break" in str(error)


@pytest.mark.parametrize(
    ("status", "advice", "retryable"),
    [
        (400, "check the URL and the model's name", False),
        (401, "check the API key", False),
        (403, "check that the API key may use this model", False),
        (404, "check the URL and the model's name", False),
        (429, "wait before trying again", True),
        (500, "try again later", True),
        (503, "try again later", True),
        (200, "check the URL", False),
    ],
)
@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        ('{"error": {"message": "No, not with %s.\\nReally.", "code": "x"}}', f" (No, not with {STARS}. Really.)"),
        ('{"error": "no %s"}', f" (no {STARS})"),
        ('{"message": "no %s"}', f" (no {STARS})"),
        ('[{"error": %s}]', ""),
        ("<html>%s</html>", ""),
        ("", ""),
    ],
    ids=["error object", "error", "message", "list", "html", "empty"],
)
async def test_refused_by_http_status(status: int, advice: str, body: str, quoted: str, *, retryable: bool) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(status, body.replace("%s", KEY))

    with websocket_server(echo, process_request=refuse) as endpoint:
        error = await refused(endpoint)
    where = endpoint.url.partition("?")[0]
    assert str(error).startswith(f"{where} refused the connection with HTTP {status}{quoted}: {advice}")
    assert error.retryable is retryable


@pytest.mark.parametrize("read_bytes", [1, 2, 3, 4], ids=lambda count: f"{count} a read")
async def test_a_refusal_may_be_cut_anywhere(read_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told when all of it is there, whether the server hangs up or not."""
    monkeypatch.setattr("asyncio.selector_events._SelectorSocketTransport.max_size", read_bytes)

    def talk(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.settimeout(10)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\n~~~~~")
        connection.recv(2**16)  # until the client hangs up

    with tcp_server(talk) as port:
        failure = await refused(Endpoint(url=f"ws://127.0.0.1:{port}/"), open_timeout=5)
    assert "401" in str(failure)
    assert not failure.retryable


async def test_an_empty_account_is_not_tried_again() -> None:
    """OpenAI refuses it as it refuses too many requests."""

    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(
            429, '{"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}'
        )

    with websocket_server(echo, process_request=refuse) as endpoint:
        error = await refused(endpoint)
    assert "exceeded your quota" in str(error)
    assert not error.retryable


@pytest.mark.parametrize("name", ["key", "access_token"])
async def test_a_key_in_the_query_is_never_told(name: str) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(400, f'{{"error": "{request.path}"}}')

    with websocket_server(echo, process_request=refuse) as endpoint:
        error = await refused(Endpoint(url=f"{endpoint.url}&{name}={KEY}"))
    assert f"(/v1?model=m&{name}={STARS})" in str(error)


async def test_a_key_in_a_subprotocol_is_never_told() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(400, f'{{"error": "{request.headers["Sec-WebSocket-Protocol"]}"}}')

    with websocket_server(echo, process_request=refuse) as endpoint:
        error = await refused(Endpoint(url=endpoint.url, subprotocols=("realtime", f"openai-insecure-api-key.{KEY}")))
    assert f"openai-insecure-api-key.{STARS}" in str(error)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a websocket server"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "is not a websocket server (missing Connection header)"),
        (b"", "hung up before it answered"),
        (b"HTTP/1.1 1", "hung up before it answered"),
    ],
    ids=["ssh", "101 without the rest", "nothing", "half a line"],
)
async def test_not_a_websocket_server(answer: bytes, told: str) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(answer)

    with tcp_server(talk) as port:
        assert told in str(await refused(Endpoint(url=f"ws://127.0.0.1:{port}/")))


async def test_no_answer_in_time() -> None:
    release = threading.Event()

    def silent(_: socket.socket) -> None:
        release.wait()

    with tcp_server(silent) as port:
        error = await refused(Endpoint(url=f"ws://127.0.0.1:{port}/"), open_timeout=0.05)
        release.set()
    assert "did not answer within 0.05 s" in str(error)
    assert error.retryable


def tls(certificate: Path = CERTIFICATE) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_tls_with_a_trusted_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with websocket_server(echo, ssl=tls()) as endpoint:
        async with connect(Endpoint(url=endpoint.url.replace("ws:", "wss:"))) as opened:
            await opened.send("hello")
            assert await opened.receive() == "hello"


async def test_tls_with_a_certificate_that_nobody_signed() -> None:
    with websocket_server(echo, ssl=tls()) as endpoint:
        error = await refused(Endpoint(url=endpoint.url.replace("ws:", "wss:")))
    assert "can't be trusted (self-signed certificate)" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("certificate", "told"),
    [("elsewhere.pem", "certificate is not valid for '127.0.0.1'"), ("expired.pem", "certificate has expired")],
)
async def test_tls_with_the_certificate_of_another_host_or_time(
    certificate: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signed it."""
    path = CERTIFICATE.with_name(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with websocket_server(echo, ssl=tls(path)) as endpoint:
        error = await refused(Endpoint(url=endpoint.url.replace("ws:", "wss:"), headers=endpoint.headers))
    assert "can't be trusted" in str(error)
    assert told in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(url="ws://api.example/v1", headers={"Authorization": f"Bearer {KEY}"}),
        Endpoint(url="WS://192.0.2.1:80/v1", headers={"x-api-key": KEY}),
        Endpoint(url=f"ws://api.example/v1?token={KEY}"),
        Endpoint(url=f"ws://user:{KEY}@api.example/v1"),
        Endpoint(url="ws://localhost.example/v1", subprotocols=("realtime", f"openai-insecure-api-key.{KEY}")),
        Endpoint(url="ws://api.example/v1", secrets=(KEY,)),
    ],
    ids=["header", "another header", "query", "login", "subprotocol", "settings"],
)
async def test_a_key_goes_to_another_machine_only_with_tls(endpoint: Endpoint) -> None:
    with pytest.raises(ConfigurationError, match=r"the key would go unencrypted to .*: use https:// or wss") as told:
        async with connect(endpoint):
            pass
    assert KEY not in str(told.value)


async def test_whoever_wants_to_sends_a_key_without_tls() -> None:
    endpoint = Endpoint(url="ws://no-such-host.invalid/", headers={"Authorization": KEY}, allow_unencrypted=True)
    assert "was not found" in str(await refused(endpoint))


async def test_a_key_in_the_reason_of_a_close_is_never_told() -> None:
    def say_why(connection: ServerConnection) -> None:
        connection.close(1008, f"no: {KEY}, {KEY[:10]}")

    with websocket_server(say_why) as endpoint:
        async with connect(endpoint) as opened:
            with pytest.raises(SocketClosed) as caught:
                await opened.receive()
    assert caught.value.reason == f"no: {STARS}, {STARS[:10]}"


async def test_tls_to_a_server_without() -> None:
    with websocket_server(echo) as endpoint:
        error = await refused(Endpoint(url=endpoint.url.replace("ws:", "wss:")))
    assert "does not speak TLS" in str(error) or "hung up before it answered" in str(error)
    assert "ws" in str(error).partition(": ")[2]


async def test_no_tls_to_a_server_with_it() -> None:
    with websocket_server(echo, ssl=tls()) as endpoint:
        error = await refused(endpoint)
    assert "check the URL" in str(error)
    assert "ws or wss" in str(error)


async def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(2**16)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with tcp_server(talk) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{KEY}@127.0.0.1:{port}")
        error = await refused(Endpoint(url="wss://api.example/v1"))
    assert "the proxy refused to connect to wss://api.example/v1 with HTTP 407" in str(error)


@pytest.mark.parametrize("proxy", [f"ftp://user:{KEY}@127.0.0.1", f"http://{KEY}@127.0.0.1"])
async def test_a_proxy_that_is_none(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "proxy set in the environment is not valid" in str(await refused(Endpoint(url="wss://api.example/v1")))


async def test_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "WS_PROXY", "SOCKS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with websocket_server(echo) as endpoint:
        for url in (endpoint.url, endpoint.url.replace("127.0.0.1", "localhost")):
            async with connect(Endpoint(url=url)) as opened:
                await opened.send("hello")
                assert await opened.receive() == "hello"


async def test_a_socks_proxy_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKS_PROXY", "socks5://127.0.0.1:9")
    assert "pip install python-socks" in str(await refused(Endpoint(url="wss://api.example/v1")))
