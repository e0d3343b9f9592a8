"""The provider as an app configures it: where it connects, what it sends first, what it says it can do."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, cast

import pytest
from msgspec import to_builtins
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from rtactors.errors import ConfigurationError
from rtactors.events import AudioDelta, CommitAudio, Setup
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Frame, Provider
from rtactors.providers.openai import FunctionChoice, FunctionTool, McpTool, SemanticVad, ServerVad, Transcription
from tests.providers.openai_traces import trace

KEY = "sk-proj-secret-0123456789"
SERVER_VAD_ON = {"type": "server_vad"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)


def session_of(provider: OpenAIRealtime) -> dict[str, Any]:
    (frame,) = provider.configure()
    assert isinstance(frame, str)
    update = json.loads(frame)
    assert update["type"] == "session.update"
    assert update["event_id"] == "configure"
    return update["session"]


def test_it_is_a_provider() -> None:
    provider = OpenAIRealtime()
    assert isinstance(provider, Provider)
    assert provider.name == "openai"
    delta = next(line for line in trace("single_message_full") if line.event["type"] == "response.output_audio.delta")
    assert isinstance(provider.decode(delta.frame)[0], AudioDelta)
    assert provider.encode(CommitAudio("op")) == ('{"type":"input_audio_buffer.commit","event_id":"op"}',)


# ------------------------------------------------------------------------------------------------------- endpoint


def test_the_default_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint = OpenAIRealtime().endpoint()
    assert endpoint.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime"
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    assert endpoint.subprotocols == ()


BASES = [
    "https://api.example.com/v1",
    "https://api.example.com/v1/",
    "http://localhost:8000/v1",
    "http://[::1]:8000",
    "https://example.com/openai?api-version=2025-04-01-preview&deployment=d",
]


@pytest.mark.parametrize("base", BASES)
def test_urls_are_those_of_the_sdk(base: str) -> None:
    def of_sdk(**settings: str) -> str:
        connection: Any = AsyncOpenAI(api_key=KEY, **cast("Any", settings)).realtime.connect(model="m")
        return str(connection._prepare_url().copy_merge_params({"model": "m"}))

    assert OpenAIRealtime("m", api_key=KEY, base_url=base).endpoint().url == of_sdk(base_url=base)
    socket = base.replace("http", "ws", 1)
    other = "https://elsewhere.example.com"
    ours = OpenAIRealtime("m", api_key=KEY, base_url=other, websocket_base_url=socket).endpoint().url
    assert ours == of_sdk(base_url=other, websocket_base_url=socket)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("ws://127.0.0.1:9000", "ws://127.0.0.1:9000/realtime?model=m"),
        (" wss://example.com/v1\n", "wss://example.com/v1/realtime?model=m"),
        ("HTTPS://example.com", "wss://example.com/realtime?model=m"),
        ("https://example.com/#top", "wss://example.com/realtime?model=m"),
    ],
)
def test_urls_beyond_the_sdk(base: str, url: str) -> None:
    assert OpenAIRealtime("m", api_key=KEY, base_url=base).endpoint().url == url


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = OpenAIRealtime("m")  # made before: it is read at each connection
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org_1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_1")
    endpoint = provider.endpoint()
    assert endpoint.url == "ws://localhost:1/v1/realtime?model=m"
    assert endpoint.headers == {
        "Authorization": f"Bearer {KEY}",
        "OpenAI-Organization": "org_1",
        "OpenAI-Project": "proj_1",
    }
    given = OpenAIRealtime(api_key="other", base_url="https://a.example.com", organization="org_2", project="")
    assert given.endpoint().url.startswith("wss://a.example.com/realtime")
    assert given.endpoint().headers == {"Authorization": "Bearer other", "OpenAI-Organization": "org_2"}


def test_extra_headers_and_query() -> None:
    provider = OpenAIRealtime(
        "my model", api_key=KEY, extra_headers={"authorization": "Token x", "X-A": "b"}, extra_query={"call": "1&2"}
    )
    endpoint = provider.endpoint()
    assert endpoint.headers == {"authorization": "Token x", "X-A": "b"}
    assert endpoint.url.endswith("/realtime?model=my+model&call=1%262")


def test_no_key_on_purpose() -> None:
    assert OpenAIRealtime(api_key="").endpoint().headers == {}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(ConfigurationError, match=r"no OpenAI API key: set the environment variable OPENAI_API_KEY"):
        OpenAIRealtime().endpoint()


@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Evil: 1", f"“{KEY}”"])
def test_an_unusable_key_is_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'Authorization' holds a character") as caught:
        OpenAIRealtime(api_key=key).endpoint()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("localhost:8000/v1", "must begin with https://"),
        ("api.example.com", "must begin with https://"),
        ("ftp://example.com", "must begin with https://"),
        ("", "must begin with https://"),
        (KEY, "must begin with https://"),
        ("https://", "names no host"),
        ("https:///v1", "names no host"),
        ("https://exa mple.com", "names no host"),
        ("https://example.com:port", "is not a URL"),
        ("https://example.com:99999", "is not a URL"),
        ("https://[::1", "is not a URL"),
        (f"https://user:{KEY}@example.com", "holds a user name or password"),
    ],
)
def test_bad_urls(monkeypatch: pytest.MonkeyPatch, url: str, complaint: str) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("base_url", {"base_url": url}),
        ("websocket_base_url", {"base_url": "https://example.com", "websocket_base_url": url}),
        ("the environment variable OPENAI_BASE_URL", {}),
    ]
    for source, settings in cases:
        if not settings:
            if not url:
                continue  # an empty variable is an absent one
            monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(ConfigurationError, match=f"^{source} {complaint}") as caught:
            OpenAIRealtime(api_key="k", **settings).endpoint()
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None  # no traceback shows it either


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider = OpenAIRealtime(api_key=KEY, extra_headers={"X-Key": KEY}, extra_query={"key": KEY})
    assert repr(provider) == "OpenAIRealtime('gpt-realtime')"
    shown = f"{provider!r} {provider} {provider.endpoint()!r} {provider.endpoint()} {provider.configure()}"
    assert "secret" not in shown


# ------------------------------------------------------------------------------------------------------- settings


def test_the_default_session() -> None:
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session_of(OpenAIRealtime()) == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": pcm,
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "server_vad"},
            },
            "output": {"format": pcm},
        },
        "tools": [],
    }


def test_a_session_with_everything() -> None:
    provider = OpenAIRealtime(
        instructions="Be brief.",
        voice="marin",
        tools=[
            FunctionTool(name="f", description="d", parameters={"type": "object"}),
            {"type": "function", "name": "g"},
            McpTool("docs", server_url="https://example.com/mcp", require_approval="never"),
        ],
        tool_choice=FunctionChoice("f"),
        turn_detection=SemanticVad(eagerness="high", create_response=False),
        transcription=Transcription(model="whisper-1", language="de"),
        output_modalities=["text"],
        extra_session={
            "reasoning": {"effort": "low"},
            "truncation": "disabled",
            "audio": {"input": {"noise_reduction": {"type": "near_field"}}, "output": {"speed": 1.2}},
        },
    )
    (frame,) = provider.configure()
    TypeAdapter(RealtimeClientEvent).validate_python(json.loads(frame), strict=True)
    session = session_of(provider)
    assert session["audio"]["input"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "transcription": {"model": "whisper-1", "language": "de"},
        "turn_detection": {"type": "semantic_vad", "eagerness": "high", "create_response": False},
        "noise_reduction": {"type": "near_field"},
    }
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "marin",
        "speed": 1.2,
    }
    assert [tool["type"] for tool in session["tools"]] == ["function", "function", "mcp"]
    assert session["tool_choice"] == {"type": "function", "name": "f"}
    assert session["reasoning"] == {"effort": "low"}
    assert session["truncation"] == "disabled"
    assert session["output_modalities"] == ["text"]
    assert session["instructions"] == "Be brief."


def test_null_switches_off() -> None:
    session = session_of(OpenAIRealtime(turn_detection=None, transcription=None, extra_session={"tracing": None}))
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["input"]["transcription"] is None
    assert session["tracing"] is None


@pytest.mark.parametrize(
    ("settings", "cancels", "replies"),
    [
        ({}, True, True),
        ({"turn_detection": None}, False, False),
        ({"turn_detection": ServerVad(create_response=False)}, True, False),
        ({"turn_detection": ServerVad(interrupt_response=False)}, False, True),
        ({"turn_detection": SemanticVad(create_response=False, interrupt_response=False)}, False, False),
        ({"turn_detection": SemanticVad(create_response=True, interrupt_response=True)}, True, True),
        ({"extra_session": {"audio": {"input": {"turn_detection": None}}}}, False, False),
        (
            {"turn_detection": None, "extra_session": {"audio": {"input": {"turn_detection": SERVER_VAD_ON}}}},
            True,
            True,
        ),
        ({"extra_session": {"audio": {"input": {"turn_detection": {"create_response": False}}}}}, True, False),
    ],
)
def test_capabilities_follow_the_settings(settings: dict[str, Any], *, cancels: bool, replies: bool) -> None:
    capabilities = OpenAIRealtime(**settings).capabilities
    assert capabilities.cancels_on_speech is cancels
    assert capabilities.replies_to_speech is replies
    assert capabilities.turn_settings is (cancels or replies or "Vad" in str(settings))
    assert capabilities.input_rate == capabilities.output_rate == 24000
    assert capabilities.truncates
    assert capabilities.deletes
    assert capabilities.echoes_request


@pytest.mark.parametrize(
    "extra",
    [
        {"audio": {"output": {"format": {"type": "audio/pcmu"}}}},
        {"audio": {"input": {"format": {"rate": 16000}}}},
        {"audio": {"input": None}},
        {"audio": None},
    ],
)
def test_other_audio_formats_are_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="PCM16 at 24000 Hz"):
        OpenAIRealtime(extra_session=extra)


@pytest.mark.parametrize("settings", [{"tools": [print]}, {"extra_session": {"prompt": object()}}])
def test_settings_that_are_not_json(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="can't be written as JSON"):
        OpenAIRealtime(**settings)


# ------------------------------------------------------------------------------------------------ what is loaded


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    program = """
import sys
import rtactors.providers.base
assert "rtactors.providers.openai" not in sys.modules
import rtactors.providers
rtactors.providers.OpenAIRealtime
heavy = {"numpy", "openai", "pydantic"} & set(sys.modules)
assert not heavy, heavy
try:
    rtactors.providers.Nobody
except AttributeError as error:
    assert "Nobody" in str(error)
else:
    raise SystemExit("found Nobody")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"turn_detection": "server_vad"}, "turn_detection"),
        ({"output_modalities": ["voice"]}, "output_modalities"),
        ({"tools": [{"name": "x"}]}, "tools"),
        ({"voice": 3}, "voice"),
        ({"instructions": 3}, "instructions"),
    ],
)
def test_settings_that_cannot_be_sent_are_told_at_once(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError, match=where):
        OpenAIRealtime(api_key="", **settings)


@pytest.mark.parametrize(
    ("settings", "padding", "silence"),
    [
        ({}, 0.3, 0.5),
        ({"turn_detection": ServerVad(prefix_padding_ms=100, silence_duration_ms=800)}, 0.1, 0.8),
        ({"turn_detection": SemanticVad()}, 0, 0),  # it goes by what is said
        ({"turn_detection": None}, 0, 0),
    ],
)
def test_how_the_server_counts_speech(settings: dict[str, Any], *, padding: float, silence: float) -> None:
    capabilities = OpenAIRealtime(**settings).capabilities
    assert (capabilities.speech_padding, capabilities.speech_silence) == (padding, silence)
    assert capabilities.transcribes
    assert not OpenAIRealtime(**settings, transcription=None).capabilities.transcribes


def turn_detection_of(frames: Sequence[Frame]) -> dict[str, Any]:
    (frame,) = frames
    return json.loads(frame)["session"]["audio"]["input"]["turn_detection"]


@pytest.mark.parametrize("detection", [ServerVad(threshold=0.7), SemanticVad(eagerness="low")])
def test_who_interrupts_and_replies_is_told_and_told_back(detection: ServerVad | SemanticVad) -> None:
    """The rest of the detection stays; and what an update switched off the next one switches on, by name."""
    provider = OpenAIRealtime(turn_detection=detection)
    told = to_builtins(detection)
    ours = {**told, "interrupt_response": False, "create_response": False}
    theirs = {**told, "interrupt_response": True, "create_response": True}
    assert turn_detection_of(provider.configure(Setup(server_acts=False))) == ours
    assert turn_detection_of(provider.update(Setup(server_acts=False), "turn-1")) == ours
    assert turn_detection_of(provider.update(Setup(), "turn-2")) == theirs


def test_what_the_app_switched_off_by_hand_stays_off() -> None:
    provider = OpenAIRealtime(turn_detection=ServerVad(create_response=False))
    assert turn_detection_of(provider.update(Setup(), "turn-1"))["create_response"] is False
    assert OpenAIRealtime(turn_detection=None).update(Setup(server_acts=False), "turn-1")
