"""The quicksilver provider as an app configures it: where it connects, what it sends, what it says it can do."""

import json
from typing import Any

import pytest

from rtactors import ConfigurationError
from rtactors.events import (
    AppendAudio,
    AppendHandoff,
    CancelResponse,
    ClearAudio,
    Command,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Function,
    Item,
    Setup,
    TruncateItem,
)
from rtactors.providers import QuicksilverRealtime
from rtactors.providers.base import Provider
from rtactors.providers.quicksilver import wire

KEY = "sk-proj-secret-0123456789"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)


def test_it_is_a_provider() -> None:
    provider = QuicksilverRealtime()
    assert isinstance(provider, Provider)
    assert provider.name == "quicksilver"
    capabilities = provider.capabilities
    assert capabilities.input_rate == capabilities.output_rate == 24_000
    assert capabilities.hands_off
    can_not = ("greets", "acknowledges", "replies_on_request", "truncates", "deletes", "echoes_request")
    assert not any(getattr(capabilities, name) for name in can_not)


QUERY = "?intent=quicksilver&model=m"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("ws://127.0.0.1:9000", "ws://127.0.0.1:9000/v1/realtime"),
        ("wss://example.com/", "wss://example.com/v1/realtime"),
        ("https://example.com/v1", "wss://example.com/v1/realtime"),
        ("https://example.com/backend/v1/", "wss://example.com/backend/v1/realtime"),
    ],
)
def test_paths(base: str, url: str) -> None:
    assert QuicksilverRealtime("m", api_key=KEY, base_url=base).endpoint().url == url + QUERY
    assert QuicksilverRealtime("m", api_key=KEY, websocket_base_url=base).endpoint().url == url + QUERY


def test_the_default_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint = QuicksilverRealtime().endpoint()
    assert endpoint.url == "wss://api.openai.com/v1/realtime?intent=quicksilver&model=gpt-realtime-1.5"
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}", "openai-alpha": "quicksilver=v1"}


def test_what_else_goes_into_the_handshake() -> None:
    provider = QuicksilverRealtime(
        "m", api_key=KEY, session_id="thread_1", extra_headers={"X-A": "b"}, extra_query={"call_id": "1"}
    )
    endpoint = provider.endpoint()
    assert endpoint.url.endswith(QUERY + "&call_id=1")
    assert endpoint.headers["x-session-id"] == "thread_1"
    assert endpoint.headers["X-A"] == "b"


@pytest.mark.parametrize("url", ["example.com", "https://[::1", "https://", ""])
def test_bad_urls(url: str) -> None:
    with pytest.raises(ConfigurationError):
        QuicksilverRealtime(api_key=KEY, base_url=url).endpoint()


def test_a_missing_key_and_one_that_is_shown_nowhere() -> None:
    with pytest.raises(ConfigurationError, match="no OpenAI API key"):
        QuicksilverRealtime().endpoint()
    provider = QuicksilverRealtime(api_key=KEY)
    assert "secret" not in f"{provider!r} {provider.endpoint()!r} {provider.configure(Setup())}"


def test_text_needs_v2() -> None:
    with pytest.raises(ConfigurationError, match="text realtime output modality requires realtime v2"):
        QuicksilverRealtime(output_modalities=["audio", "text"])


def test_functions_need_v2() -> None:
    with pytest.raises(ConfigurationError, match="can't have weather"):
        QuicksilverRealtime().configure(Setup(functions=(Function("weather"),)))


def test_the_first_message() -> None:
    plain = {"type": "quicksilver", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}, "output": {}}}
    (frame,) = QuicksilverRealtime().configure(Setup())
    assert json.loads(frame) == {"type": "session.update", "session": plain}
    assert QuicksilverRealtime().update(Setup(), "op") == (frame,)
    (frame,) = QuicksilverRealtime(voice="breeze", instructions="Be brief.").configure(Setup())
    session = json.loads(frame)["session"]
    assert session["audio"]["output"] == {"voice": "breeze"}
    assert session["instructions"] == "Be brief."


def sent(command: Command) -> list[dict[str, Any]]:
    frames = QuicksilverRealtime().encode(command)
    for frame in frames:
        assert isinstance(frame, str)
        wire.client_decoder.decode(frame)
    return [json.loads(frame) for frame in frames]


def message(role: str, text: str) -> list[dict[str, Any]]:
    item = {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
    return [{"type": "conversation.item.create", "item": item}]


def test_what_it_can_say() -> None:
    assert sent(AppendAudio(b"\0\0")) == [{"type": "input_audio_buffer.append", "audio": "AAA="}]
    assert sent(AppendHandoff("op", "h1", "Looking.")) == [
        {"type": "conversation.handoff.append", "handoff_id": "h1", "output_text": "Looking."}
    ]
    assert sent(CreateItem("op", Item(id="x", role="user", text="Hi."))) == message("user", "Hi.")
    assert sent(CreateItem("op", Item(id="x", role="system", text="Be brief."))) == message("developer", "Be brief.")
    told = message("developer", "You (the assistant) said: Hi.")
    assert sent(CreateItem("op", Item(id="x", role="assistant", text="Hi."))) == told
    assert sent(CancelResponse("op", "r1")) == []


def test_much_audio_goes_in_pieces() -> None:
    frames = QuicksilverRealtime().encode(AppendAudio(bytes(16 * 2**20)))
    assert len(frames) == 2


@pytest.mark.parametrize(
    "command",
    [
        CommitAudio("op"),
        ClearAudio("op"),
        CreateResponse("op"),
        TruncateItem("op", "x", 10),
        DeleteItem("op", "x"),
        CreateItem("op", Item(id="x", kind="function_call_output", call_id="c", output="o")),
        CreateItem("op", Item(id="x", kind="message")),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_it_can_not_say(command: Command) -> None:
    with pytest.raises(ConfigurationError, match="quicksilver server"):
        sent(command)


@pytest.mark.parametrize("event", [{"type": "session.update"}, {"type": "response.create"}, {"type": 1}])
def test_what_a_client_sends_is_read_strictly(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Object missing|Invalid value|Expected"):
        wire.client_decoder.decode(json.dumps(event))
