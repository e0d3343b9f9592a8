"""No key of any kind is ever told: by an error, event, repr, log or command, or in a recording or a journal.

Each way to give a key gets one of its own. The server is the worst there is: it repeats whatever it was sent, wherever
a server may say something. All that comes out anywhere is put together, and searched for the keys.
"""

import json
import logging
import os
import socket
import subprocess
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import quote_plus

import anyio
import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from rtactors import RtactorsError, Session
from rtactors.journal.sqlite import SqliteJournal
from rtactors.limits import Backoff, Deadlines
from rtactors.loopback.log import Record
from rtactors.loopback.script import IMMEDIATE
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.providers.openai import wire
from rtactors.recording.recorder import Recorder
from rtactors.session_events import Problem
from rtactors.sinks import PacedSink
from tests.cli.command import COMMAND

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

WAYS = (
    *("argument", "environment", "header", "cookie", "query", "query of the base", "subprotocol"),
    *("authorization of a tool", "header of a tool", "tool as a dict", "token of our server"),
)
KEYS = {way: f"{number}canary-{way.replace(' ', '-')}_0123456789abcdef" for number, way in enumerate(WAYS)}
KEYS["query"] += "+/%=="  # which a URL writes in another way


class InSubprotocol(OpenAIRealtime):
    """As browsers give a key, which can't set headers."""

    def endpoint(self) -> Endpoint:
        plain = super().endpoint()
        protocols = ("realtime", f"openai-insecure-api-key.{KEYS['subprotocol']}")
        return Endpoint(url=plain.url, headers=plain.headers, subprotocols=protocols, secrets=plain.secrets)


TOOL = wire.McpTool(
    server_label="docs",
    server_url="https://docs.example",
    authorization=KEYS["authorization of a tool"],
    headers={"X-Anything": KEYS["header of a tool"], "Authorization": f"Basic {KEYS['header of a tool']}"},
)


def provider(url: str, *, api_key: str | None = KEYS["argument"]) -> OpenAIRealtime:
    return InSubprotocol(
        api_key=api_key,
        websocket_base_url=f"{url}?api_key={KEYS['query of the base']}",
        extra_headers={"x-api-key": KEYS["header"], "Cookie": f"session={KEYS['cookie']}"},
        extra_query={"access_token": KEYS["query"]},
        tools=[
            TOOL,
            {"type": "mcp", "server_label": "more", "authorization": KEYS["tool as a dict"]},
        ],
    )


class Heard:
    """All that came out."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, *things: object) -> None:
        self._parts += [form(thing) for thing in things for form in (str, repr)]

    def add_error(self, error: BaseException) -> None:
        self.add(error, error.args)
        self._parts += traceback.format_exception(error)
        self._parts += traceback.TracebackException.from_exception(error, capture_locals=True).format()

    def add_files(self, folder: Path) -> None:
        for file in folder.iterdir():
            content = file.read_bytes()
            assert content, f"{file} is empty"
            self._parts.append(content.decode(errors="replace"))

    def check(self) -> None:
        everything = "\n".join(self._parts)
        told = [way for way, key in KEYS.items() if key in everything or key[:14] in everything]
        places = [everything[max(0, everything.index(KEYS[way][:14]) - 300) :][:400] for way in told]
        assert not told, f"keys that were told: {told}\n" + "\n---\n".join(places)

    def __contains__(self, text: str) -> bool:
        return text in "\n".join(self._parts)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Generator[Heard]:
    """What is printed and logged, by whichever library, belongs to it at the end; then there is no key in it."""
    log = StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    heard = Heard()
    with caplog.at_level(logging.DEBUG):
        yield heard
    logging.getLogger().removeHandler(handler)
    heard.add(log.getvalue(), caplog.text, *capfd.readouterr())
    heard.check()


# ------------------------------------------------------------------------------------------- the worst there is


def quoted(connection: ServerConnection) -> str:
    """All that a client has told so far."""
    assert connection.request
    return f"{connection.request.path} {list(connection.request.headers.raw_items())}"


def refuse(connection: ServerConnection, request: Request) -> Response:
    said = f"no: {request.path} {list(request.headers.raw_items())}"
    return connection.respond(401, json.dumps({"error": {"message": said[:250]}}))


class Quoting:
    """Says each of these sentences about what it was told, then goes."""

    def __init__(self, *endings: str) -> None:
        self._endings = endings

    def __call__(self, connection: ServerConnection) -> None:
        def say(**event: Any) -> None:
            connection.send(json.dumps({"event_id": "e", **event}))

        say(type="session.created", session={"id": "s"})
        told = f"{quoted(connection)} {connection.recv()}"
        for key in (*(key for key in KEYS.values() if key in told or quote_plus(key) in told), told):
            error = {"type": "invalid_request_error", "code": key, "message": f"What is {key}? Or {key[:20]}"}
            if "before it is ready" in self._endings:
                say(type="error", error=error)
            if not self._endings:
                say(type="session.updated", session={"id": "s"})
                say(type="error", error=error)
                say(type="error", error={**error, "event_id": "response-1"})
                say(type=key)
                say(type=f"response.{key}", response=7)
                say(type="response.done", response=key)
                connection.send(key)
                failed = {"type": "failed", "error": error, "reason": key}
                say(type="response.done", response={"id": f"r{len(key)}", "status": "failed", "status_details": failed})
                name = "conversation.item.input_audio_transcription.failed"
                say(type=name, item_id="item_1", error={"message": key})
        if "fatal" in self._endings:
            say(type="session.updated", session={"id": "s"})
            say(type="error", error={"code": "invalid_api_key", "message": f"Incorrect API key: {KEYS['argument']}"})
        connection.close(1008, f"{KEYS['argument'][:60]}"[:120])


@contextmanager
def worst_server(handler: Callable[[ServerConnection], None], **options: Any) -> Generator[str]:
    def handle(connection: ServerConnection) -> None:
        with suppress(OSError):
            handler(connection)

    quiet = logging.getLogger("the worst server")
    quiet.setLevel(logging.CRITICAL)
    with serve(handle, "127.0.0.1", 0, subprotocols=["realtime"], logger=quiet, **options) as server:  # pyright: ignore[reportArgumentType]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1"
        server.shutdown()
        thread.join()


async def converse(provider: OpenAIRealtime, heard: Heard, **options: Any) -> None:
    """As long as it goes; whatever it says, and leaves behind in files, is heard."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with SqliteJournal(folder / "journal") as journal:
            await _converse(provider, heard, journal=journal, recorder=Recorder(folder / "recording"), **options)
            heard.add_files(folder)


async def _converse(provider: OpenAIRealtime, heard: Heard, **options: Any) -> None:
    session = Session(provider, sink=PacedSink(), deadlines=Deadlines(connect=5), **options)
    events = session.events()
    heard.add(provider, session, provider.capabilities, TOOL)
    try:
        async with session:
            heard.add(await session.ask("Well?"))
            await anyio.sleep_forever()
    except RtactorsError as error:
        heard.add_error(error)
    heard.add(session.history, *[event async for event in events])
    try:
        await session.ask("Are you there?")
    except RtactorsError as error:
        heard.add_error(error)


async def test_a_conversation_with_a_server_that_repeats_all(heard: Heard) -> None:
    with worst_server(Quoting()) as url:
        await converse(provider(url), heard, reconnect=None)
    assert "***" in heard
    assert "Problem(" in heard


@pytest.mark.parametrize("ending", ["before it is ready", "fatal"])
async def test_a_server_that_refuses_us(heard: Heard, ending: str) -> None:
    with worst_server(Quoting(ending)) as url:
        await converse(provider(url), heard, reconnect=Backoff(give_up=0))
    assert "***" in heard


async def test_a_key_from_the_environment(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEYS["environment"])
    with worst_server(Quoting(), process_request=refuse) as url:
        await converse(provider(url, api_key=None), heard)
    assert "refused the connection with HTTP 401" in heard


async def test_a_server_that_is_none(heard: Heard) -> None:
    """It sends back what it was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def mirror() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(65536))

        thread = Thread(target=mirror)
        thread.start()
        await converse(provider(f"ws://127.0.0.1:{listener.getsockname()[1]}/v1"), heard, reconnect=None)
        thread.join()
    assert "is not a websocket server" in heard


async def test_keys_that_are_none(heard: Heard) -> None:
    """What is wrong with a setting is said without it."""
    for wrong in (
        lambda: OpenAIRealtime(api_key=f"{KEYS['argument']}\n\u2019").endpoint(),
        lambda: OpenAIRealtime(extra_headers={"x": f"{KEYS['header']}\r\n"}, api_key="").endpoint(),
        lambda: OpenAIRealtime(base_url=KEYS["argument"], api_key="").endpoint(),
        lambda: OpenAIRealtime(base_url=f"https://user:{KEYS['argument']}@h/v1", api_key="").endpoint(),
        lambda: OpenAIRealtime(tools=[{"type": "mcp", "authorization": KEYS["tool as a dict"]}]),
        lambda: OpenAIRealtime(tools=[{"type": "mcp", "server_label": "x", "headers": [KEYS["tool as a dict"]]}]),
        lambda: OpenAIRealtime(extra_session={"tools": {KEYS["tool as a dict"]: object()}}),
    ):
        with pytest.raises(RtactorsError) as caught:
            wrong()
        heard.add(caught.value)
        heard._parts += traceback.format_exception(caught.value)  # pyright: ignore[reportPrivateUsage]


async def test_the_embedded_server(heard: Heard) -> None:
    """It is told keys, too: its own, and those of tools; what it shows of a conversation has none of them."""
    shown: list[Record] = []
    token = KEYS["token of our server"]
    async with Server(voice=ToneVoice(), timing=IMMEDIATE, api_key=token, listener=shown.append) as server:
        await converse(provider(server.url, api_key=KEYS["argument"]), heard)
        ours = provider(server.url, api_key=token)
        session = Session(ours, sink=PacedSink())
        async with session:
            reply = await session.ask("Well?")
            await reply.started()
        heard.add(server, server.sessions, server.sessions[0].log)
    heard.add(session, *map(str, shown))
    assert "Incorrect API key provided" in heard
    assert '"authorization":"***"' in heard


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["captions", "json"])
def test_the_command(heard: Heard, options: list[str], tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    environment = os.environ | {"OPENAI_API_KEY": KEYS["environment"]}
    record = ["--record", str(recording)]
    for handler, more in ((Quoting(), {}), (Quoting("fatal"), {}), (Quoting(), {"process_request": refuse})):
        with worst_server(handler, **more) as url:
            done = subprocess.run(
                [*COMMAND, "talk", "--no-audio", *options, "--url", f"{url}?token={KEYS['query']}", *record],
                input="Well?\n",
                capture_output=True,
                text=True,
                timeout=40,
                env=environment,
                check=False,
            )
        heard.add(done.stdout, done.stderr, recording.read_text(encoding="utf-8"))
    assert "refused the connection with HTTP 401" in heard


def test_a_key_that_was_told_would_be_found() -> None:
    heard = Heard()
    heard.add(Problem(kind="other", message=f"({KEYS['header']})"))
    with pytest.raises(AssertionError, match="header"):
        heard.check()
