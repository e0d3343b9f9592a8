"""The server over real sockets, on asyncio and on trio: the handshake, the limits, and every way to end."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from rtactors.errors import ConfigurationError
from rtactors.loopback.faults import Faults, cut
from rtactors.loopback.script import IMMEDIATE, Gate, Reply, Say, Turn, replies
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers.base import Endpoint
from rtactors.transports.base import SocketClosed
from rtactors.transports.websocket import connect
from tests.loopback.client import Client, silence, utterance

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

KEY = "sk-test-key"


def serve(*given: Any, **options: Any) -> Server:
    return Server(*given, voice=ToneVoice(), timing=IMMEDIATE, **options)


@asynccontextmanager
async def client_of(server: Server, **options: Any) -> AsyncGenerator[Client]:
    async with connect(Endpoint(url=f"{server.url}/realtime?model=m", **options)) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


async def handshake(
    server: Server, path: str = "/v1/realtime?model=m", **headers: str
) -> tuple[int, dict[str, str], str]:
    """What the server answers to a request for a websocket: status, headers, body."""
    host, port = server.base_url.removeprefix("http://").removesuffix("/v1").rsplit(":", 1)
    lines = {
        "Host": f"{host}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(request.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await stream.receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *rest = head.decode().split("\r\n")
        given = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
        while len(body) < int(given.get("content-length", 0)):
            body += await stream.receive()
        return int(status.split()[1]), given, body.decode(errors="replace")


async def test_a_conversation() -> None:
    async with serve(replies(["One.", "Two."])) as server, client_of(server) as client:
        await client.say("Hello.")
        await client.send("response.create")
        await client.until("response.done")
        items = server.sessions[0].items
        assert [item.text for item in items] == ["Hello.", "One.", "Two."]
        assert client.audio(items[1].id) == (await ToneVoice().speak("One.")).pcm
        assert client.events[0]["session"]["model"] == "m"


async def test_barge_in() -> None:
    gate = Gate()
    script = replies(Say(text="A long story.", gate=gate, gate_ms=200), "Sorry.")
    async with serve(script) as server, client_of(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await client.speak(utterance())
        await client.until("input_audio_buffer.speech_started")
        assert (await client.until("response.done"))["response"]["status_details"]["reason"] == "turn_detected"
        await client.until("response.done")
        assert [item.generated_ms for item in server.sessions[0].items] == [200, 0, 360]


async def test_many_clients_at_once() -> None:
    async def talk(number: int) -> None:
        async with client_of(server) as client:
            await client.say(f"I am {number}.")
            await client.send("response.create")
            answer = (await client.until("response.done"))["response"]["output"][0]
            assert answer["content"][0]["transcript"] == f"I am {number}."

    def echo(turn: Turn) -> Reply:
        return Reply(outputs=(Say(text=turn.text),))

    async with serve(echo) as server:
        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(talk, number)
        assert len({session.id for session in server.sessions}) == 10


@pytest.mark.parametrize(
    ("headers", "message", "code"),
    [
        ({}, "Missing bearer or basic authentication in header", None),
        ({"Authorization": "Bearer sk-wrong"}, "Incorrect API key provided: sk-***.", "invalid_api_key"),
        ({"Authorization": f"Basic {KEY}"}, "Missing bearer or basic authentication in header", None),
        (
            {"Sec_WebSocket_Protocol": "realtime, openai-insecure-api-key.sk-wrong"},
            "Incorrect API key provided: sk-***.",
            "invalid_api_key",
        ),
    ],
)
async def test_a_wrong_key_is_refused(headers: dict[str, str], message: str, code: str | None) -> None:
    async with serve(api_key=KEY) as server:
        status, given, body = await handshake(server, **headers)
        assert (status, given["content-type"]) == (401, "application/json")
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        assert json.loads(body) == {"error": error}
        assert server.sessions == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Sec_WebSocket_Protocol": f"realtime, openai-insecure-api-key.{KEY}", "Origin": "https://example.org"},
    ],
)
async def test_the_right_key_is_taken(headers: dict[str, str]) -> None:
    async with serve(api_key=KEY) as server:
        status, given, _ = await handshake(server, **headers)
        assert status == 101
        assert given.get("sec-websocket-protocol") == ("realtime" if "Sec_WebSocket_Protocol" in headers else None)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/chat?model=m", 404, "Invalid URL (GET /v1/chat)"),
        ("/v1/realtime", 400, "You must provide a model parameter"),
        ("/v1/realtime?intent=transcription", 400, "You must provide a model parameter"),
    ],
)
async def test_other_requests_are_refused(path: str, status: int, message: str) -> None:
    async with serve() as server:
        answer = await handshake(server, path)
        assert answer[0] == status
        assert json.loads(answer[2])["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 101),
        ("https://127.0.0.1", 101),
        ("https://example.org", 403),
        ("http://localhost.evil.example", 403),
    ],
)
async def test_web_pages_of_others_are_refused_without_a_key(origin: str, status: int) -> None:
    async with serve() as server:
        assert (await handshake(server, Origin=origin))[0] == status


@pytest.mark.parametrize("host", ["192.0.2.1", "nosuch.invalid", "no host", "a..b"])
def test_a_host_of_another_machine_is_said(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{host} is no host of this machine"):
        Server(host=host, voice=ToneVoice())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_need_a_key(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"give the server an api_key, or serve on 127\.0\.0\.1"):
        serve(host=host)


async def test_a_port_in_use_is_told() -> None:
    async with serve() as server:
        port = int(server.base_url.removesuffix("/v1").rsplit(":", 1)[1])
        with pytest.raises(ConfigurationError, match=rf"cannot serve on 127.0.0.1 port {port} \(.*\): choose another"):
            async with serve(port=port):
                pass


async def test_a_frame_of_ten_megabytes() -> None:
    async with serve() as server, client_of(server) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        pcm = silence(160_000)
        await client.speak(pcm, piece_ms=160_000)
        await client.send("input_audio_buffer.commit")
        item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
        assert server.sessions[0].items[0].frames == len(pcm) // 2
        await client.send("conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved")
        assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == pcm


async def test_the_server_says_goodbye() -> None:
    async with serve() as server:
        url = server.url
        async with connect(Endpoint(url=f"{url}/realtime?model=m")) as socket:
            await socket.receive()
            await server.sessions[0].close(1001, "Your session hit the maximum duration of 60 minutes.")
            with pytest.raises(SocketClosed, match="maximum duration") as closed:
                await socket.receive()
            assert closed.value.code == 1001


async def test_leaving_the_block_ends_every_session() -> None:
    async with anyio.create_task_group() as tasks:
        connected, left = anyio.Event(), anyio.Event()

        async def stay() -> None:
            async with client_of(server) as client:
                connected.set()
                with pytest.raises(SocketClosed) as closed:
                    await client.receive()
                assert closed.value.code == 1001
            left.set()

        async with serve() as server:
            tasks.start_soon(stay)
            await connected.wait()
        assert server.sessions[0].closed.is_set()
        await left.wait()


@pytest.mark.parametrize("at_byte", [0, 1, 3, 50, 700])
async def test_the_network_breaks_at_any_byte(at_byte: int) -> None:
    faults = Faults(cut("response.output_audio.delta", nth=3, at_byte=at_byte))
    async with serve(replies("One."), faults=faults) as server, client_of(server) as client:
        await client.send("response.create")
        with pytest.raises(SocketClosed) as closed:
            await client.until("response.done")
        assert closed.value.code in {None, 1006}
        assert len(client.find("response.output_audio.delta")) == 2
        await server.sessions[0].closed.wait()


async def test_a_script_that_raises_ends_the_server_with_its_error() -> None:
    def script(turn: Turn) -> Reply:
        raise ZeroDivisionError(turn.index)

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with serve(script) as server, client_of(server) as client:
            await client.send("response.create")
            await anyio.sleep_forever()


async def test_an_error_in_the_block_leaves_it_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve() as server, client_of(server):
            raise ZeroDivisionError


async def test_cancelling_the_server_ends_it() -> None:
    server = serve()
    with anyio.CancelScope() as scope:
        async with server, client_of(server):
            scope.cancel()
            await anyio.sleep_forever()
    assert server.sessions[0].closed.is_set()
