"""The embedded server: who may come in, and how much they can make it hold."""

# pyright: reportPrivateUsage=false
# What waits inside of a server, nobody outside can tell.

import json
import socket
from typing import Any

import anyio
import pytest
from websockets.http11 import Request

from rtactors import ConfigurationError
from rtactors.loopback import conversation, outbox, server, session
from rtactors.loopback.script import IMMEDIATE, Gate, Say, replies
from rtactors.loopback.server import MemoryServer, Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers.base import Endpoint
from rtactors.testing.clock import settled
from rtactors.transports.websocket import connect
from tests.loopback.test_server import handshake

pytestmark = pytest.mark.anyio

ENDPOINT = Endpoint(url="ws://memory/v1/realtime?model=m")


def serve(**options: Any) -> Server:
    return Server(voice=ToneVoice(), timing=IMMEDIATE, **options)


# ----------------------------------------------------------------------------------------------------- who may come in


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "127.1", "::1"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    assert not serve(host=host).public


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "", "::"])
@pytest.mark.parametrize("key", [None, ""])
def test_everything_else_needs_one(host: str, key: str | None) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with pytest.raises(ConfigurationError, match="can be reached by others: give the server an api_key"):
        serve(host=host, api_key=key)
    assert serve(host=host, api_key="a key").public


def test_a_localhost_that_is_none_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name stands for is up to the machine's settings."""
    _all_names_are_of_others(monkeypatch)
    with pytest.raises(ConfigurationError, match="localhost can be reached by others"):
        serve(host="localhost")


async def test_a_name_that_has_changed_meanwhile_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = serve(host="localhost")
    _all_names_are_of_others(monkeypatch)
    with pytest.raises(ConfigurationError, match="localhost can be reached by others"):
        async with ours:
            pass


def _all_names_are_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server

    def resolve(address: tuple[str, int], **options: Any) -> socket.socket:
        return create(("0.0.0.0", address[1]), **options)

    monkeypatch.setattr(socket, "create_server", resolve)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.sockets
@pytest.mark.parametrize("origin", ["http://evil.example", "https://evil.example:8765", "null", "file://"])
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
async def test_a_web_page_of_another_is_refused_wherever_its_name_leads(origin: str, host: str) -> None:
    """A page can let its own name lead to this machine; the browser still says whose page it is."""
    async with serve() as ours:
        status, _, _ = await handshake(ours, Origin=origin, Host=host)
    assert status == 403


@pytest.mark.sockets
async def test_a_handshake_of_nonsense_is_refused_and_others_are_served() -> None:
    async with serve(api_key="a key") as ours:
        for header in ("Bearer \u00e9\u00ff", "Bearer " + "x" * 5000, "Bearer", "Basic x", ""):
            status, _, _ = await handshake(ours, Authorization=header)
            assert status == 401
        async with connect(Endpoint(url=f"{ours.url}/realtime?model=m", headers={"Authorization": "Bearer a key"})):
            pass


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    request = Request("/v1/realtime?model=m", server.Headers(Authorization="Bearer wrong"))
    refusal = serve(api_key="right")._refuse(request)
    assert refusal
    assert refusal.status_code == 401
    assert compared == [(b"wrong", b"right")]


# ---------------------------------------------------------------------------------------------- how much they may bring


async def test_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_SESSIONS", 2)
    async with MemoryServer() as ours:
        async with ours.connect(ENDPOINT), ours.connect(ENDPOINT):
            await settled()
            with pytest.raises(Exception, match="HTTP 503"):
                async with ours.connect(ENDPOINT):
                    pass
        await settled()
        async with ours.connect(ENDPOINT) as socket:
            assert "session.created" in str(await socket.receive())


def item(text: str = "Hello.") -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def errors_of(*sent: dict[str, Any], script: Any = None) -> list[str]:
    """The codes of the errors with which a server answers these events."""
    async with MemoryServer(script or replies("Well."), timing=IMMEDIATE) as ours, ours.connect(ENDPOINT) as socket:
        codes: list[str] = []

        async def listen() -> None:
            while True:
                event = json.loads(await socket.receive())
                if event["type"] == "error":
                    codes.append(event["error"]["code"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for event in sent:
                await socket.send(json.dumps(event))
            await settled()
            tasks.cancel_scope.cancel()
    return codes


CREATE = {"type": "conversation.item.create", "item": item()}


async def test_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_ITEMS", 5)
    delete = [{"type": "conversation.item.delete", "item_id": f"item_{number:06}"} for number in (1, 2)]
    respond = {"type": "response.create"}
    assert await errors_of(*[CREATE] * 5) == []
    assert await errors_of(*[CREATE] * 5, *delete, CREATE, respond) == ["conversation_too_long"] * 2


async def test_texts_and_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_BYTES", 10_000)
    large = {"type": "conversation.item.create", "item": item("x" * 10_000)}
    assert await errors_of(large, CREATE) == ["conversation_too_long"]
    quiet = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    speak = {"type": "input_audio_buffer.append", "audio": "AAAA" * 4000}
    commit = {"type": "input_audio_buffer.commit"}
    spoken = [{"type": "session.update", "session": quiet}, speak, commit, speak, commit]
    assert await errors_of(*spoken) == ["conversation_too_long"]


async def test_responses_out_of_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "OUT_OF_BAND", 3)
    respond = {"type": "response.create", "response": {"conversation": "none"}}
    script = replies(Say(text="Well.", gate=Gate()))
    assert await errors_of(*[respond] * 4, script=script) == ["rate_limit_exceeded"]


async def test_what_was_sent_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends and does not listen is not listened to any more, and not answered."""
    monkeypatch.setattr(session, "ANSWERS", 10)
    monkeypatch.setattr(session, "UNREAD", 10_000)
    async with MemoryServer(timing=IMMEDIATE) as ours, ours.connect(ENDPOINT) as socket:
        sent = 0
        with anyio.move_on_after(1):
            while True:
                await socket.send(json.dumps({"type": "conversation.item.create", "item": item("x" * 1000)}))
                sent += 1
        held = ours.sessions[0]
        assert held._unread <= 10_000 + 1200
        assert len(held._outbox._waiting) <= 12
        assert sent < 200  # most of them are in the sockets, which hold 64 each way


async def test_audio_of_items_that_nobody_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short request may have a long answer: no more of them wait than fit."""
    monkeypatch.setattr(outbox, "HEAVY", 10_000)
    async with MemoryServer(timing=IMMEDIATE) as ours, ours.connect(ENDPOINT) as socket:
        content = [{"type": "input_audio", "audio": "AAAA" * 2000}]
        spoken = {"type": "message", "id": "item_x", "role": "user", "content": content}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": spoken}))
        with anyio.move_on_after(1):
            while True:
                await socket.send('{"type": "conversation.item.retrieve", "item_id": "item_x"}')
        assert ours.sessions[0]._outbox._weight <= 10_000 + 6000


async def test_what_is_wrong_is_not_repeated_at_length() -> None:
    async with MemoryServer(timing=IMMEDIATE) as ours, ours.connect(ENDPOINT) as socket:
        await socket.send(json.dumps({"type": "conversation.item.delete", "item_id": "x" * 100_000}))
        await socket.send('{"type": "session.update", "session": ' + "[" * 150 + "]" * 150 + "}")
        await socket.receive()
        for _ in range(2):
            answer = json.loads(await socket.receive())
            assert answer["type"] == "error"
            assert len(str(answer)) < 1500
