"""What a client meets that loses its connection: limits, refusals, and a server that takes its history back."""

import json
import re
import time
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

import anyio
import pytest

from rtactors.errors import ConnectionFailed
from rtactors.events import CreateItem, Item
from rtactors.loopback.faults import Faults, inject
from rtactors.loopback.items import LONGEST_ID
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import IMMEDIATE, Call, Reply, Say, Script, Turn, replies
from rtactors.loopback.server import MemoryServer, Options, Server
from rtactors.loopback.session import AtLimit
from rtactors.loopback.voice import ToneVoice
from rtactors.providers.base import Endpoint
from rtactors.providers.openai.encode import encode
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.websocket import connect
from tests.loopback.client import Client, connected, silence, tone

pytestmark = pytest.mark.anyio

AT_LIMIT = pytest.mark.parametrize("at_limit", ["close", "error"])


def serve(*script: Script, **options: Any) -> Server:
    return Server(*script, **Options(voice=ToneVoice(), timing=IMMEDIATE, **options))


def open_socket(server: Server) -> AbstractAsyncContextManager[Socket]:
    return connect(Endpoint(url=f"{server.url}/realtime?model=m"))


async def the_end(client: Client) -> SocketClosed:
    """Read until the connection is closed."""
    with pytest.raises(SocketClosed) as closed:
        await client.until("nothing that ever comes")
    return closed.value


def told_error(client: Client) -> tuple[str, str, str] | None:
    errors = [event["error"] for event in client.find("error")]
    return (errors[-1]["type"], errors[-1]["code"], errors[-1]["message"]) if errors else None


# ------------------------------------------------------------------------------------------------------ session limit


@AT_LIMIT
async def test_a_session_ends_at_its_limit_whatever_it_is_doing(at_limit: AtLimit) -> None:
    reason = "Your session hit the maximum duration of 20 minutes."
    script = replies("x" * 2000)
    async with MemoryServer(script, session_limit_s=1200, at_limit=at_limit) as server, connected(server) as client:
        begun = anyio.current_time()
        await anyio.sleep(1190)
        await client.send("response.create")
        closed = await the_end(client)
        assert anyio.current_time() - begun == pytest.approx(1200)
        assert client.find("response.output_audio.delta")
        assert not client.find("response.done")
        if at_limit == "close":
            assert (closed.code, closed.reason, told_error(client)) == (1001, reason, None)
        else:
            assert told_error(client) == ("invalid_request_error", "session_expired", reason)
            assert closed.code == 1000
        await server.sessions[0].closed.wait()
        async with connected(server) as again:
            await again.say("Hello.")
            await again.until("conversation.item.done")


@pytest.mark.sockets
@AT_LIMIT
async def test_a_session_over_sockets_ends_at_its_limit(at_limit: AtLimit) -> None:
    async with serve(session_limit_s=0.05, at_limit=at_limit) as server, open_socket(server) as socket:
        client = Client(socket)
        closed = await the_end(client)
        if at_limit == "close":
            assert (closed.code, told_error(client)) == (1001, None)
            assert closed.reason.startswith("Your session hit the maximum duration of ")
        else:
            assert closed.code == 1000
            assert [event["error"]["code"] for event in client.find("error")] == ["session_expired"]
        await server.sessions[0].closed.wait()


async def test_the_limit_is_told() -> None:
    before = int(time.time())
    async with MemoryServer(session_limit_s=1200) as server, connected(server) as client:
        updated = await client.update()
        told = {event["session"]["expires_at"] for event in (client.events[0], updated)}
        assert len(told) == 1
        assert before + 1200 <= told.pop() <= time.time() + 1200


async def test_in_memory_there_is_no_limit_unless_one_is_set() -> None:
    async with MemoryServer() as server, connected(server) as client:
        assert client.events[0]["session"]["expires_at"] is None
        await anyio.sleep(7 * 24 * 3600)
        await client.say("Hello.")
        await client.until("conversation.item.done")


@pytest.mark.sockets
async def test_over_sockets_the_limit_is_an_hour() -> None:
    async with serve() as server, open_socket(server) as socket:
        expires_at = json.loads(await socket.receive())["session"]["expires_at"]
        assert time.time() + 3590 < expires_at <= time.time() + 3600


@AT_LIMIT
async def test_a_client_that_does_not_read_is_ended_all_the_same(at_limit: AtLimit) -> None:
    server = MemoryServer(replies("x" * 2000), session_limit_s=60, at_limit=at_limit)
    async with server, server.connect(Endpoint(url="ws://memory?model=m")) as socket:
        await Client(socket).send("response.create")
        await server.sessions[0].closed.wait()
        assert anyio.current_time() <= 62


# ---------------------------------------------------------------------------------------------------------- refusals


def second_fails(status: HTTPStatus, asked: list[int]) -> Any:
    def admit(number: int) -> HTTPStatus | None:
        asked.append(number)
        return status if number == 2 else None

    return admit


REFUSALS = pytest.mark.parametrize(
    ("status", "retryable", "advice"),
    [
        (HTTPStatus.UNAUTHORIZED, False, "check the API key"),
        (HTTPStatus.TOO_MANY_REQUESTS, True, "wait before trying again"),
        (HTTPStatus.SERVICE_UNAVAILABLE, True, "try again later"),
    ],
)


@REFUSALS
async def test_a_connection_is_refused(status: HTTPStatus, *, retryable: bool, advice: str) -> None:
    asked: list[int] = []
    async with MemoryServer(admit=second_fails(status, asked)) as server:
        async with connected(server):
            pass
        with pytest.raises(ConnectionFailed, match=f"refused the connection with HTTP {status}.*{advice}") as failed:
            async with connected(server):
                pass
        assert failed.value.retryable is retryable
        async with connected(server):
            pass
        assert asked == [1, 2, 3]
        assert len(server.sessions) == 2


@pytest.mark.sockets
@REFUSALS
async def test_a_connection_over_sockets_is_refused(status: HTTPStatus, *, retryable: bool, advice: str) -> None:
    asked: list[int] = []
    async with serve(admit=second_fails(status, asked)) as server:
        async with open_socket(server):
            pass
        with pytest.raises(ConnectionFailed, match=f"refused the connection with HTTP {status}.*{advice}") as failed:
            async with open_socket(server):
                pass
        assert failed.value.retryable is retryable
        async with open_socket(server):
            pass
        assert asked == [1, 2, 3]
        assert len(server.sessions) == 2


async def test_the_quota_runs_out_in_the_middle() -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    error = {"type": "insufficient_quota", "code": "insufficient_quota", "message": message}
    faults = Faults(inject({"type": "error", "error": error}, before="response.output_audio.delta", nth=3))
    async with MemoryServer(replies("A long story."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        assert (await client.until("error"))["error"] == error
        assert len(client.find("response.output_audio.delta")) == 2


# ------------------------------------------------------------------------------------------- a history brought along

VOICE = tone(700)
BROUGHT = [
    Item(id="item_a", role="system", text="Be brief."),
    Item(id="item_b", role="user", text="What is the weather?"),
    Item(id="item_c", kind="function_call", call_id="call_c", name="weather", arguments='{"city": "Tromsø"}'),
    Item(id="rt_d", kind="function_call_output", call_id="call_c", output="4 degrees"),
    Item(id="item_e", role="assistant", text="Four deg", status="incomplete", phase="final_answer"),
    Item(id="item_f", role="user", text="And tomorrow?", audio=VOICE),
    Item(id="item_g", role="user", audio=VOICE),
]


async def bring(client: Client, *items: Item) -> None:
    for number, item in enumerate(items):
        for frame in encode(CreateItem(f"context-{number}", item)):
            await client.socket.send(frame)
    for item in items:
        assert (await client.until("conversation.item.done"))["item"]["id"] == item.id


async def test_a_history_is_taken_back() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await bring(client, *BROUGHT)
        held = [
            (item.id, item.type, item.role, item.text, item.audio_ms, item.call_id, item.arguments, item.output)
            for item in server.sessions[0].items
        ]
        assert held == [
            ("item_a", "message", "system", "Be brief.", 0, "", "", ""),
            ("item_b", "message", "user", "What is the weather?", 0, "", "", ""),
            ("item_c", "function_call", None, "", 0, "call_c", '{"city": "Tromsø"}', ""),
            ("rt_d", "function_call_output", None, "", 0, "call_c", "", "4 degrees"),
            ("item_e", "message", "assistant", "Four deg", 0, "", "", ""),
            ("item_f", "message", "user", "And tomorrow?", 700, "", "", ""),
            ("item_g", "message", "user", "", 700, "", "", ""),
        ]


async def test_a_voice_brought_along_is_heard_but_not_written_down() -> None:
    heard: list[str] = []

    def script(turn: Turn) -> Reply:
        heard.append(turn.text)
        return Reply(outputs=(Say(text="It will snow."),))

    async with MemoryServer(script, recognizer=Scripted("Will it snow?")) as server, connected(server) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        await bring(client, *BROUGHT)
        await client.send("response.create")
        await client.until("response.done")
        assert heard == ["And tomorrow? Will it snow?"]
        assert not [event_type for event_type in client.types if "transcription" in event_type]


# ---------------------------------------------------------------------------------------------------------------- ids


async def named_by(client: Client) -> set[str]:
    """The ids in a conversation that has one of everything."""
    await client.speak(tone(500) + silence(700))
    await client.until("response.done")
    return {*re.findall(r'id": "(.+?)"', json.dumps(client.events))}


SPOKEN = Reply(outputs=(Say(text="One."), Call(name="two")))


async def test_the_sessions_of_a_server_share_no_id() -> None:
    async with MemoryServer(replies(SPOKEN, SPOKEN)) as server:
        async with connected(server) as client:
            first = await named_by(client)
        async with connected(server) as client:
            second = await named_by(client)
    assert {"sess_000001", "conv_000001", "resp_000001", "event_000001", "call_item_000003"} < first
    assert not first & second


async def test_in_memory_ids_are_the_same_each_time() -> None:
    named: list[set[str]] = []
    for _ in range(2):
        async with MemoryServer(replies(SPOKEN)) as server, connected(server) as client:
            named.append(await named_by(client))
    assert named[0] == named[1]


@pytest.mark.sockets
async def test_no_two_servers_share_an_id() -> None:
    named: list[set[str]] = []
    for _ in range(2):
        async with serve(replies(SPOKEN)) as server, open_socket(server) as socket:
            named.append(await named_by(Client(socket)))
    assert not named[0] & named[1]
    assert all(len(one) <= LONGEST_ID and re.search(r"_[0-9a-f]{12}_\d{6}$", one) for one in named[0])
