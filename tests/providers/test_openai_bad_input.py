"""Whatever a server sends, `decode` gives events: it never raises, and says what was wrong without repeating it all."""

import base64
import json
from typing import Any, cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtactors import events
from rtactors.events import ProviderError, Unknown
from rtactors.providers.openai.decode import decode
from tests.providers.openai_traces import FROM_SERVER, Line

LONGEST = 600
"""Characters of a message about a frame that can't be read."""
AUDIO = base64.b64encode(bytes(960)).decode()


def complaint(frame: str | bytes) -> str:
    (error,) = decode(frame)
    assert isinstance(error, ProviderError), error
    assert error.kind == "malformed"
    assert (error.operation_id, error.limit_ms, error.response_id) == (None, None, None)
    assert len(error.message) < LONGEST
    return error.message


def delta(**fields: Any) -> str:
    event = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": AUDIO} | fields
    return json.dumps(event)


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("", ("a frame", "truncated")),
        (b"", ("a frame", "truncated")),
        ("hello", ("a frame", "malformed", "hello")),
        ("null", ("a frame", "Expected `object`, got `null`")),
        ("[1]", ("a frame", "Expected `object`, got `array`", "[1]")),
        ("{}", ("a frame", "missing required field `type`")),
        ('{"type":7}', ("a frame", "`$.type`")),
        ('{"type":null,"event_id":"e"}', ("a frame", "`$.type`")),
        (b"\xff\xfe{}", ("a frame", "malformed")),
        (b'{"type":"conversation.item.deleted","item_id":"\xff"}', ("conversation.item.deleted", "utf-8")),
        ('{"type":"conversation.item.deleted","item_id":"\ud800"}', ("conversation.item.deleted", "surrogates")),
        ('{"type":"conversation.item.deleted","item_id":"\\ud800"}', ("conversation.item.deleted",)),
        ('{"type":"conversation.item.deleted","item_id":"a', ("conversation.item.deleted", "truncated")),
        ('{"type":"conversation.item.deleted"}', ("conversation.item.deleted", "missing required field `item_id`")),
        ('{"type":"conversation.item.deleted","item_id":null}', ("Expected `str`, got `null`", "`$.item_id`")),
        (delta()[:-400], ("response.output_audio.delta", "truncated")),
        (delta(delta="%%%" + AUDIO), ("response.output_audio.delta", "Invalid base64", "`$.delta`")),
        (delta(delta=AUDIO[:-1]), ("response.output_audio.delta", "Invalid base64", "`$.delta`")),
        (delta(delta=7), ("response.output_audio.delta", "got `int`", "`$.delta`")),
        (delta(response_id=None), ("response.output_audio.delta", "`$.response_id`")),
        (delta(output_index="0"), ("Expected `int`, got `str`", "`$.output_index`")),
        ('{"type":"response.done","response":{"status":"completed"}}', ("response.done", "`id`", "`$.response`")),
        ('{"type":"response.done","response":{"id":"r","output":[{"id":"i"}]}}', ("`type`", "`$.response.output[0]`")),
        (
            '{"type":"conversation.item.added","item":{"type":"message"}}',
            ("conversation.item.added", "missing required field `id`", "`$.item`"),
        ),
        (
            '{"type":"response.output_item.done","response_id":"r","item":{"type":"message","id":""}}',
            ("response.output_item.done", "missing required field `id`", "`$.item`"),
        ),
        (
            '{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":1e999}',
            ("speech_started", "`$.audio_start_ms`"),
        ),
        ('{"type":"error","error":"it broke"}', ("the event error", "`$.error`", "it broke")),
        ('{"type":"session.created"}', ("session.created", "missing required field `session`")),
    ],
)
def test_what_was_wrong_is_said(frame: str | bytes, what: tuple[str, ...]) -> None:
    message = complaint(frame)
    for word in what:
        assert word in message


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_bottomless_nesting(opening: str) -> None:
    frame = '{"type":"conversation.item.deleted","item_id":"i","future":' + opening * 100_000
    message = complaint(frame)
    assert "conversation.item.deleted" in message
    assert "recursion" in message
    assert "a frame" in complaint(opening * 100_000)


def test_ten_mebibytes() -> None:
    size = 10 * 2**20
    noise = "x" * size
    assert "response.output_audio.delta" in complaint(delta(delta="%" + noise))
    assert "a frame" in complaint(noise)
    assert "`$.item_id`" in complaint('{"type":"conversation.item.deleted","item_id":["' + noise + '"]}')
    (unknown,) = decode(json.dumps({"type": noise}))
    assert isinstance(unknown, Unknown)
    assert len(unknown.name) <= 80
    audio = bytes(size)
    (whole,) = decode(delta(delta=base64.b64encode(audio).decode()))
    assert isinstance(whole, events.AudioDelta)
    assert whole.audio == audio


def test_an_unknown_type_is_not_an_error_whatever_else_it_holds() -> None:
    assert decode('{"type":"future.event","delta":7,"response":null}') == (Unknown("future.event"),)
    assert decode('{"delta":7,"type":"response.output_audio.delta.v2"}') == (Unknown("response.output_audio.delta.v2"),)
    assert "a frame" in complaint('{"delta":nonsense,"type":"future.event"}')
    assert "future.event" in complaint('{"type":"future.event","delta":nonsense}')


KNOWN_EVENTS = get_args(events.ProviderEvent)


def takes(frame: str | bytes) -> None:
    decoded = decode(frame)
    assert len(decoded) <= 2
    for event in decoded:
        assert isinstance(event, KNOWN_EVENTS)
        if isinstance(event, ProviderError) and event.kind == "malformed":
            assert len(event.message) < LONGEST


LINE = st.sampled_from(FROM_SERVER)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


# Nothing is said about time: the machine may be busy.
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_noise(frame: bytes | str) -> None:
    takes(frame)


@UNHURRIED
@given(LINE, st.data())
def test_any_bytes_in_a_frame(line: Line, data: st.DataObject) -> None:
    frame = line.frame.encode()
    start = data.draw(st.integers(0, len(frame)))
    end = data.draw(st.integers(start, min(len(frame), start + 20)))
    takes(frame[:start] + data.draw(st.binary(max_size=20)) + frame[end:])


@UNHURRIED
@given(LINE, st.data())
def test_a_frame_that_breaks_off(line: Line, data: st.DataObject) -> None:
    takes(line.frame[: data.draw(st.integers(0, len(line.frame)))])


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths to all values inside."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast("list[Any]", value)))
    return [place for key, child in inner for place in ((*path, key), *places(child, (*path, key)))]


@settings(UNHURRIED, max_examples=500)
@given(LINE, st.data())
def test_any_value_anywhere(line: Line, data: st.DataObject) -> None:
    event: Any = json.loads(line.frame)
    place = data.draw(st.sampled_from(places(event)))
    *way, last = place
    parent = event
    for key in way:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[last] = data.draw(VALUES)
    else:
        del parent[last]
    takes(json.dumps(event))
