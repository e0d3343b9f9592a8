"""Our commands on the wire: exact JSON, that OpenAI's own models accept."""

import base64
import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from rtactors.errors import ConfigurationError
from rtactors.events import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    Command,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Item,
    ResponseOptions,
    TruncateItem,
)
from rtactors.providers.openai import wire
from rtactors.providers.openai.decode import decode
from rtactors.providers.openai.encode import MAX_APPEND, encode

THEIRS: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def sent(command: Command) -> dict[str, Any]:
    (frame,) = encode(command)
    assert isinstance(frame, str)  # a text frame
    event = json.loads(frame)
    THEIRS.validate_python(event, strict=True)
    assert json.loads(wire.encoder.encode(wire.client_decoder.decode(frame))) == event  # a server reads all of it
    return event


def message(role: Any, text: str) -> Item:
    return Item(id="item_1", role=role, text=text)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (AppendAudio(b"\x01\x02"), {"type": "input_audio_buffer.append", "audio": "AQI="}),
        (CommitAudio("op"), {"type": "input_audio_buffer.commit", "event_id": "op"}),
        (ClearAudio("op"), {"type": "input_audio_buffer.clear", "event_id": "op"}),
        (
            TruncateItem("op", "item_1", 1520),
            {
                "type": "conversation.item.truncate",
                "event_id": "op",
                "item_id": "item_1",
                "content_index": 0,
                "audio_end_ms": 1520,
            },
        ),
        (DeleteItem("op", "item_1"), {"type": "conversation.item.delete", "event_id": "op", "item_id": "item_1"}),
        (CancelResponse("op", "resp_1"), {"type": "response.cancel", "event_id": "op", "response_id": "resp_1"}),
        (
            CreateResponse("op"),
            {"type": "response.create", "event_id": "op", "response": {"metadata": {"rtactors_request": "op"}}},
        ),
        (
            CreateResponse("op", ResponseOptions(instructions="", metadata={"topic": "weather"})),
            {
                "type": "response.create",
                "event_id": "op",
                "response": {"instructions": "", "metadata": {"topic": "weather", "rtactors_request": "op"}},
            },
        ),
        (
            CreateResponse("op", ResponseOptions(instructions="Classify.", out_of_band=True)),
            {
                "type": "response.create",
                "event_id": "op",
                "response": {
                    "instructions": "Classify.",
                    "conversation": "none",
                    "metadata": {"rtactors_request_out_of_band": "op"},
                },
            },
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_commands(command: Command, expected: dict[str, Any]) -> None:
    assert sent(command) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            message("user", "Hi"),
            {"type": "message", "id": "item_1", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ),
        (
            message("system", ""),
            {"type": "message", "id": "item_1", "role": "system", "content": [{"type": "input_text", "text": ""}]},
        ),
        (
            Item(id="item_1", role="user", audio=b"\x01\x02"),
            {
                "type": "message",
                "id": "item_1",
                "role": "user",
                "content": [{"type": "input_audio", "audio": "AQI="}],
            },
        ),
        (
            Item(id="item_1", role="user", audio=b"\x01\x02", text="Hi"),
            {
                "type": "message",
                "id": "item_1",
                "role": "user",
                "content": [{"type": "input_audio", "audio": "AQI=", "transcript": "Hi"}],
            },
        ),
        (
            Item(id="item_1", role="assistant", audio=b"\x01\x02", text="Hi"),
            {
                "type": "message",
                "id": "item_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hi"}],
            },
        ),
        (
            Item(id="item_1", role="assistant", text="Héard", status="incomplete", phase="commentary"),
            {
                "type": "message",
                "id": "item_1",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Héard"}],
            },
        ),
        (
            Item(id="item_1", kind="function_call", call_id="call_1", name="f", arguments="{}"),
            {"type": "function_call", "id": "item_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
        ),
        (
            Item(id="", kind="function_call_output", call_id="call_1", output="4"),
            {"type": "function_call_output", "call_id": "call_1", "output": "4"},
        ),
    ],
)
def test_items(item: Item, expected: dict[str, Any]) -> None:
    assert sent(CreateItem("op", item)) == {"type": "conversation.item.create", "event_id": "op", "item": expected}


def test_an_item_shows_only_how_much_audio_it_has() -> None:
    item = Item(id="item_1", role="user", audio=bytes(48_000))
    assert repr(item) == "Item(id='item_1', kind='message', role='user', status='completed', audio=<48000 bytes>)"
    assert str(CreateItem("op", item)) == f"CreateItem(operation_id='op', item={item!r}, after=None)"
    assert "audio" not in repr(message("user", "Hi"))


@pytest.mark.parametrize(("after", "expected"), [(None, {}), ("", {"previous_item_id": "root"})])
def test_where_an_item_stands(after: str | None, expected: dict[str, str]) -> None:
    event = sent(CreateItem("op", message("user", "Hi"), after=after))
    assert {key: value for key, value in event.items() if key == "previous_item_id"} == expected
    behind = sent(CreateItem("op", message("user", "Hi"), after="item_0"))
    assert behind["previous_item_id"] == "item_0"


@pytest.mark.parametrize("item", [Item(id="item_1", kind="other"), Item(id="item_1", text="whose?")])
def test_items_that_cannot_be_created(item: Item) -> None:
    with pytest.raises(ConfigurationError, match="can't create the item 'item_1'"):
        encode(CreateItem("op", item))


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({f"key_{number}": "" for number in range(16)}, "may hold 15 pairs, this has 16"),
        ({"k" * 65: ""}, "has 65 characters: OpenAI takes 64"),
        ({"topic": "v" * 513}, "of 'topic' has 513 characters: OpenAI takes 512"),
        ({"rtactors_request": "mine"}, "'rtactors_request' belongs to rtactors"),
        ({"rtactors_request_out_of_band": "mine"}, "belongs to rtactors"),
    ],
)
def test_metadata_beyond_the_limits(metadata: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        encode(CreateResponse("op", ResponseOptions(metadata=metadata)))


def test_metadata_at_the_limits() -> None:
    metadata = {f"{number:064}": "v" * 512 for number in range(15)}
    event = sent(CreateResponse("op", ResponseOptions(metadata=metadata)))
    assert event["response"]["metadata"] == metadata | {"rtactors_request": "op"}
    assert len(metadata) == 15  # the caller's own is left alone


@pytest.mark.parametrize("out_of_band", [False, True])
def test_a_request_finds_its_response(*, out_of_band: bool) -> None:
    event = sent(CreateResponse("op_9", ResponseOptions(out_of_band=out_of_band)))
    created = {"id": "resp_1", "conversation_id": None, "metadata": event["response"]["metadata"]}
    (started,) = decode(json.dumps({"type": "response.created", "response": created}))
    assert started.request_id == "op_9"  # type: ignore[union-attr] decode gives many types
    assert started.out_of_band is out_of_band  # type: ignore[union-attr] decode gives many types


def test_long_audio_goes_in_pieces() -> None:
    audio = bytes(MAX_APPEND) + b"\x01\x02"
    frames = encode(AppendAudio(audio))
    pieces = [base64.b64decode(json.loads(frame)["audio"]) for frame in frames]
    assert [len(piece) for piece in pieces] == [MAX_APPEND, 2]
    assert b"".join(pieces) == audio


def test_no_audio_is_no_frame() -> None:
    assert list(encode(AppendAudio(b""))) == []
