"""No key, header or token gets into a recording; on request no audio either."""

import base64
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from json import dumps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from rtactors import ConnectionFailed, Session
from rtactors.loopback.script import Call, Reply, Say
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint, Frame
from rtactors.recording import Recorder
from rtactors.recording.leave_out import LEFT_OUT, LeaveOut, filled_in, is_secret, secrets_of
from rtactors.session_events import FunctionCalled
from rtactors.sinks import MemorySink
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import Conversation
from rtactors.testing.replay import replay
from rtactors.transports.base import Socket
from tests.recording.recorded import lines, read, record

KEY = "sk-proj-Zk3vB7q9LwXy"
SECRETS = (
    KEY,
    organization := "org-4kd93jf83hs01",
    basic := "dXNlcjpodW50ZXIy",
    query := "qt-99887766554433",
    mcp_authorization := "mcp-token-abc",
    mcp_header := "mcp-header-def",
    mcp_query := "mcp-query-ghi",
    mcp_user := "mcp-user-jkl",
    argument := "hunter2",
    output := "tok-of-a-function",
    client_secret := "ek_abc123",
    camel := "camel-case-key",
    deep := "deep-down",
)
QUOTES = [
    {"type": "error", "error": {"type": "x", "message": f"Incorrect API key provided: {KEY}.", "event_id": "input-1"}},
    {"type": "error", "error": {"type": "x", "message": f"Incorrect API key provided: {KEY}.", "event_id": "nobody's"}},
    {
        "type": "session.updated",
        "session": {
            "type": "realtime",
            "client_secret": {"value": client_secret, "expires_at": 1},
            "more": [[{"clientApiKey": camel, "headers": {"a": [{"b": deep}]}}]],
        },
    },
]
BROKEN = [f'{{"type": "response.created", "authorization": "{mcp_authorization}", {KEY}', f"not JSON: {KEY}"]


class Leaky:
    """A network whose server repeats what it was told, once the session is set up."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._frames: deque[Frame] = deque([*(json.encode(event).decode() for event in QUOTES), *BROKEN])
        self._set_up = False

    async def send(self, frame: Frame) -> None:
        await self._socket.send(frame)

    async def receive(self) -> Frame:
        if self._set_up and self._frames:
            return self._frames.popleft()
        frame = await self._socket.receive()
        self._set_up = self._set_up or "session.updated" in str(frame)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)


async def scene(talk: Conversation) -> None:
    await talk.ask(f"My key is {KEY}.")
    call = await talk.tells(FunctionCalled)
    await talk.session.answer_call(call.call_id, json.encode({"access_token": output, "ok": True}).decode())
    talk.sink.play_all()
    await talk.session.quiet()


def leaky(*, audio: bool) -> bytes:
    outputs = (Say(text=f"It is {KEY}, I hear."), Call(name="log_in", arguments=f'{{"password": "{argument}"}}'))
    mcp = {
        "type": "mcp",
        "server_label": "one",
        "server_url": f"https://me:{mcp_user}@example.com/?token={mcp_query}&page=2",
        "authorization": f"Bearer {mcp_authorization}",
        "headers": {"X-Whatever": mcp_header},
    }
    return record(
        scene,
        lambda _turn: Reply(outputs=outputs),
        audio=audio,
        network=Leaky,
        provider={
            "api_key": KEY,
            "organization": organization,
            "extra_headers": {"X-Proxy-Authorization": f"Basic {basic}"},
            "extra_query": {"token": query},
            "tools": [mcp],
        },
    )


@pytest.mark.parametrize("audio", [True, False])
def test_a_conversation_full_of_secrets(*, audio: bool) -> None:
    data = leaky(audio=audio)
    text = data.decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert "Incorrect API key provided: ********************." in text
    assert "&page=2" in text
    history = replay(read(data))
    assert "My key is ********************." in [item.heard_text for item in history]


def test_a_refusal_that_quotes_the_key() -> None:
    @asynccontextmanager
    async def refuse(endpoint: Endpoint) -> AsyncGenerator[Socket]:
        raise ConnectionFailed(f"{endpoint.url} does not take {endpoint.headers}")
        yield

    file = BytesIO()

    async def run() -> None:
        provider = OpenAIRealtime(api_key=KEY, extra_query={"token": query})
        async with Session(provider, sink=MemorySink(), connect=refuse, recorder=Recorder(file)):
            pass

    with pytest.raises(ConnectionFailed, match=KEY):
        run_virtual(run)
    assert b"does not take" in file.getvalue()
    assert KEY.encode() not in file.getvalue()
    assert query.encode() not in file.getvalue()
    replay(read(file.getvalue()))


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "proxy-authorization",
        "api_key",
        "apiKey",
        "api-key",
        "X-Api-Key",
        "access_token",
        "token",
        "headers",
        "client_secret",
        "clientSecret",
        "password",
        "Cookie",
        "set-cookie",
        "auth",
        "credentials",
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "total_tokens",
        "input_tokens",
        "max_output_tokens",
        "cached_tokens_details",
        "audio",
        "event_id",
        "secretary",
        "author",
        "monkey",
    ],
)
def test_other_names(name: str) -> None:
    assert not is_secret(name)


def test_words_of_the_protocol_are_no_secrets() -> None:
    """Not every header is: what is a word would be found in the words of the conversation."""
    headers = {
        "OpenAI-Beta": "realtime=v1",
        "X-Mode": "conversation",
        "Authorization": "Bearer none",
        "User-Agent": "x/1",
    }
    assert secrets_of(Endpoint(url="wss://x/v1?model=gpt-realtime", headers=headers)) == {"Bearer none"}


def test_subprotocols_hold_keys() -> None:
    endpoint = Endpoint(url="wss://x", subprotocols=("realtime", f"openai-insecure-api-key.{KEY}"))
    assert KEY in secrets_of(endpoint)


@given(
    frame=st.one_of(
        st.text(),
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["token", "audio", "type", "delta", "x"]), inner)
            ),
        ).map(lambda value: dumps({"x": value})),
    ),
    audio=st.booleans(),
    incoming=st.booleans(),
)
def test_any_frame_becomes_one_line_and_the_same_one_again(frame: Frame, *, audio: bool, incoming: bool) -> None:
    out = LeaveOut(audio=audio)
    line = bytes(out.from_frame(frame, incoming=incoming))
    assert b"\n" not in line
    if isinstance(tree := json.decode(line), dict):
        again = json.decode(out.from_frame(json.encode(tree), incoming=incoming))
        assert again == tree


def test_what_has_nothing_to_hide_is_kept_to_the_letter() -> None:
    frame = '{"type": "response.created",  "usage": {"total_tokens": 1.50}, "e": 1e3}'
    assert bytes(LeaveOut(audio=True).from_frame(frame, incoming=True)) == frame.encode()


def test_what_has_no_name_is_no_secret() -> None:
    assert LeaveOut(audio=True).from_plain({"": "x", "a": [""]}) == {"": "x", "a": [""]}


def test_a_frame_of_several_lines_becomes_one() -> None:
    assert bytes(LeaveOut(audio=True).from_frame('{"a":\n 1}', incoming=True)) == b'{"a":1}'


def test_types_are_kept() -> None:
    frame = b'{"token":5,"secret":null,"headers":{"a":["b",1,""]},"password":true}'
    kept = json.decode(LeaveOut(audio=True).from_frame(frame, incoming=True))
    assert kept == {"token": 5, "secret": None, "headers": {"a": [LEFT_OUT, 1, ""]}, "password": True}


def test_arguments_that_come_in_pieces_are_left_out() -> None:
    frame = b'{"type":"response.function_call_arguments.delta","delta":"{\\"pass"}'
    assert json.decode(LeaveOut(audio=True).from_frame(frame, incoming=True))["delta"] == LEFT_OUT


# -------------------------------------------------------------------------------------------------------------- audio

PCM = bytes(range(200))
TEXT = base64.b64encode(PCM).decode()


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "response.output_audio.delta", "delta": TEXT},
        {"type": "response.audio.delta", "delta": TEXT},
        {"type": "input_audio_buffer.append", "audio": TEXT},
        {"type": "conversation.item.create", "item": {"content": [{"type": "input_audio", "audio": TEXT}]}},
        {
            "serverContent": {
                "modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": TEXT}}]}
            }
        },
    ],
)
def test_audio_in_frames(frame: dict[str, Any]) -> None:
    data = json.encode(frame)
    without = LeaveOut(audio=False).from_frame(data, incoming=True)
    assert TEXT.encode() not in bytes(without)
    assert json.encode(filled_in(json.decode(without))) == data.replace(TEXT.encode(), base64.b64encode(bytes(200)))
    assert bytes(LeaveOut(audio=True).from_frame(data, incoming=True)) == data
    outgoing = bytes(LeaveOut(audio=True).from_frame(data, incoming=False))
    assert TEXT.encode() not in outgoing
    assert b'{"$audio":{"bytes":200,"crc32":' in outgoing


def test_other_text_stays() -> None:
    frames = (
        b'{"type":"response.output_audio_transcript.delta","delta":"audio"}',
        b'{"type":"response.output_text.delta","delta":"text"}',
        b'{"session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":24000}}}}}',
    )
    assert [bytes(LeaveOut(audio=False).from_frame(frame, incoming=True)) for frame in frames] == list(frames)


def test_audio_that_is_none_stays_unreadable() -> None:
    frame = b'{"type":"response.output_audio.delta","delta":"not base64!"}'
    assert json.decode(LeaveOut(audio=False).from_frame(frame, incoming=True))["delta"] == "???????????"


def test_bytes_that_are_no_text() -> None:
    frame = b"\xff\xfe" * 50
    assert json.decode(LeaveOut(audio=False).from_frame(frame, incoming=True)) == {"$audio": {"bytes": 100}}
    kept = json.decode(LeaveOut(audio=True).from_frame(frame, incoming=True))
    assert base64.b64decode(kept["$base64"]) == frame


def test_text_that_is_no_json_shows_no_audio() -> None:
    kept = json.decode(LeaveOut(audio=False).from_frame(f"{{{TEXT}", incoming=True))
    assert kept == "{" + "?" * len(TEXT)


def test_the_events_of_both_recordings_are_the_same_but_for_that() -> None:
    with_audio, without = lines(leaky(audio=True)), lines(leaky(audio=False))
    kinds = [(event["kind"], event["who"]) for event in with_audio]
    assert kinds == [(event["kind"], event["who"]) for event in without]
    assert [event["event"] for event in with_audio if event["kind"] == "published"] == [
        event["event"] for event in without if event["kind"] == "published"
    ]
