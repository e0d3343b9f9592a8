"""The wire types carry the golden traces both ways, and nothing is lost, added or confused on the way."""

import json
from typing import Any, get_args

import msgspec
import pytest
from msgspec import UNSET

from rtactors.providers.openai import wire
from tests.providers.openai_traces import FROM_CLIENT, FROM_SERVER, Line

BETA = "beta_names"


def test_the_traces_are_there() -> None:
    assert len(FROM_SERVER) > 300
    assert len(FROM_CLIENT) > 50


@pytest.mark.parametrize("line", FROM_SERVER, ids=str)
def test_server_frames_are_read_and_written_back(line: Line) -> None:
    event = wire.server_decoder.decode(line.frame)
    again = json.loads(wire.encoder.encode(event))
    if line.trace == BETA:  # the beta's own settings are dropped; all that is read is still there
        again = {key: value for key, value in again.items() if key not in {"session", "response"}}
        assert again.items() <= line.event.items()
    else:
        assert again == line.event


@pytest.mark.parametrize("line", FROM_CLIENT, ids=str)
def test_client_frames_are_read_and_written_back(line: Line) -> None:
    if line.trace == BETA and line.event["type"] == "session.update":
        with pytest.raises(msgspec.ValidationError, match=r"missing required field `type` - at `\$\.session`"):
            wire.client_decoder.decode(line.frame)
        return
    event = wire.client_decoder.decode(line.frame)
    expected = json.loads(line.frame)
    expected.get("response", {}).pop("modalities", None)  # a name of the beta
    assert json.loads(wire.encoder.encode(event)) == expected


def test_null_and_absent_are_told_apart() -> None:
    frame = '{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":null}}}}'
    update = wire.client_decoder.decode(frame)
    assert isinstance(update, wire.SessionUpdate)
    assert isinstance(update.session, wire.RealtimeSession)
    assert update.session.instructions is UNSET
    assert update.session.audio
    assert update.session.audio.input
    assert update.session.audio.input.turn_detection is None
    assert update.session.audio.input.transcription is UNSET
    assert json.loads(wire.encoder.encode(update)) == json.loads(frame)


def test_audio_is_bytes() -> None:
    delta = wire.server_decoder.decode(
        '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"AAECAw=="}'
    )
    assert isinstance(delta, wire.ResponseOutputAudioDelta)
    assert delta.delta == b"\x00\x01\x02\x03"
    assert wire.encoder.encode(wire.InputAudioBufferAppend(b"\x00\x01\x02\x03")) == (
        b'{"type":"input_audio_buffer.append","audio":"AAECAw=="}'
    )


def test_unknown_fields_and_the_order_of_keys_do_not_matter() -> None:
    event = wire.server_decoder.decode(
        '{"future": {"a": [1]}, "item_id": "item_1", "event_id": "e", "type": "conversation.item.deleted"}'
    )
    assert event == wire.ConversationItemDeleted("item_1", event_id="e")


def test_a_server_may_leave_out_what_nobody_needs() -> None:
    event = wire.server_decoder.decode(
        '{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":"hi"}'
    )
    assert event == wire.ResponseOutputAudioTranscriptDelta("hi", response_id="r", item_id="i")


@pytest.mark.parametrize("usage", [None, {}, 7, "free", {"total_tokens": None}, [1.5]])
def test_any_usage_is_taken(usage: Any) -> None:
    frame = json.dumps({"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}})
    event = wire.server_decoder.decode(frame)
    assert isinstance(event, wire.ResponseDone)
    assert event.response.usage == usage


def test_a_server_is_told_what_is_wrong_with_a_client() -> None:
    frame = '{"type":"conversation.item.truncate","item_id":"i","content_index":0,"audio_end_ms":"30"}'
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str` - at `\$\.audio_end_ms`"):
        wire.client_decoder.decode(frame)


def test_the_types_are_listed_once_each() -> None:
    server = [event.__struct_config__.tag for event in get_args(wire.ServerEvent) + get_args(wire.BetaServerEvent)]
    client = [event.__struct_config__.tag for event in get_args(wire.ClientEvent)]
    assert len(server) == len(set(server)) == len(wire.SERVER_TYPES)
    assert len(client) == len(set(client)) == len(wire.CLIENT_TYPES)
    assert not wire.SERVER_TYPES & wire.CLIENT_TYPES
