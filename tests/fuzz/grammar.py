"""Frames of the OpenAI Realtime protocol by chance: its types are the grammar, and what breaks the rules is made of it.

    frames(EVENTS_OF_A_SERVER)      a strategy for `Sent`: a frame, and which kind of wrong it is, if it is

Ids come from a small pool, so that events are about one another; the words that mean something (kinds of items,
statuses, codes and sentences of errors) come up often, and so do those that mean nothing.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, cast, get_args

from hypothesis import strategies as st
from msgspec import Struct, inspect

from rtactors.providers.openai import wire

Json: TypeAlias = Any
Strategy: TypeAlias = st.SearchStrategy[Any]
Frame: TypeAlias = str | bytes

EVENTS_OF_A_SERVER: tuple[type[Struct], ...] = (*get_args(wire.ServerEvent), *get_args(wire.BetaServerEvent))
EVENTS_OF_A_CLIENT: tuple[type[Struct], ...] = get_args(wire.ClientEvent)

ITEMS = ("item_000001", "item_000002", "item_000003", "rt_user_1", "rt_context_1", "item_x", "item_y", "")
RESPONSES = ("resp_000001", "resp_000002", "resp_x", "")
CALLS = ("call_item_000002", "call_x", "call_y", "")
OPERATIONS = ("configure", "context-1", "context-2", "response-1", "response-2", "input-1", "elsewhere-1", "-", "")
WORDS: Mapping[str, Sequence[str]] = {
    "id": (*ITEMS, *RESPONSES),
    "item_id": ITEMS,
    "previous_item_id": (*ITEMS, "root"),
    "response_id": RESPONSES,
    "call_id": CALLS,
    "event_id": OPERATIONS,
    "type": (
        *("message", "function_call", "function_call_output", "mcp_call", "item_reference", "invalid_request_error"),
        *("input_text", "input_audio", "input_image", "output_text", "output_audio", "text", "audio", "novelty"),
    ),
    "role": ("assistant", "user", "system", "tool"),
    "status": ("in_progress", "completed", "incomplete", "cancelled", "failed", "novelty"),
    "phase": ("commentary", "final_answer", "novelty"),
    "conversation": ("auto", "none", "novelty"),
    "conversation_id": ("conv_1",),
    "code": (
        *("item_truncate_invalid_item_id", "conversation_already_has_active_response", "response_cancel_not_active"),
        *("input_audio_buffer_commit_empty", "unsupported_content_type", "invalid_value", "rate_limit_exceeded"),
    ),
    "message": (
        "Audio content of 85ms is already shorter than 300ms",
        "Audio content of 99999999999999999999ms is already shorter than 300ms",
        "Conversation already has an active response in progress: resp_000001. Wait.",
        "Error deleting item: the item with id 'item_000002' does not exist.",
        "No.",
    ),
    "reason": ("turn_detected", "client_cancelled", "max_output_tokens", "content_filter"),
}
ENDS = ("insufficient_quota", "session_expired")
"""Codes of errors that end a session: a word of its own, else few would live long."""
METADATA = ("rtactors_request", "rtactors_request_out_of_band", "topic")

TEXT = st.text(max_size=12)
NUMBERS = st.integers(-2, 3) | st.sampled_from([20, 300, 10**6, 2**31, 2**53, 2**63, 2**64, 10**30])
ANY: Strategy = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NESTED = {f"nested {depth}": '{"a":[' * depth + "]}" * depth for depth in (50, 150, 300, 450, 600)}
"""What stands for values that are nested so deep, until they are written."""
AUDIO = st.sampled_from([0, 1, 2, 3, 48, 960, 961, 4800]).map(
    lambda size: b64encode(b"\1\2" * (size // 2) + b"\3"[: size % 2]).decode()
)


class Sent(Struct, frozen=True):
    """One frame, and of which kind it is: for the count, and for people who read a failure."""

    kind: str
    frame: Frame


# ----------------------------------------------------------------------------------------------- what follows the rules


@cache
def events(of: tuple[type[Struct], ...]) -> Strategy:
    """JSON objects, each a valid event of one of these types."""
    return st.one_of([_values(each, "") for each in inspect.multi_type_info(of)])


def _values(kind: inspect.Type, name: str) -> Strategy:  # noqa: C901, PLR0911, PLR0912 - a table, a case a type
    """Values of a type of the wire, where it stands in a field of this name."""
    match kind:
        case inspect.StructType():
            return _objects(kind)
        case inspect.StrType():
            words = WORDS.get(name)
            return st.sampled_from(words) | TEXT if words else TEXT
        case inspect.IntType():
            return NUMBERS
        case inspect.FloatType():
            return NUMBERS | st.floats(allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.BytesType():
            return AUDIO
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.ListType():
            return st.lists(_values(kind.item_type, name), max_size=3)
        case inspect.DictType():
            return st.dictionaries(st.sampled_from(METADATA) | TEXT, st.sampled_from(OPERATIONS) | TEXT, max_size=3)
        case inspect.UnionType():
            return st.one_of([_values(each, name) for each in kind.types])
        case inspect.AnyType():
            return ANY | st.sampled_from(sorted(NESTED))
        case _:
            raise TypeError(f"the grammar has no word for {kind}")


def _objects(kind: inspect.StructType) -> Strategy:
    fields = {each.encode_name: _values(each.type, each.encode_name) for each in kind.fields}
    required: dict[str, Strategy] = {
        each.encode_name: fields.pop(each.encode_name) for each in kind.fields if each.required
    }
    if kind.tag_field:
        required = {kind.tag_field: st.just(kind.tag), **required}
    return st.fixed_dictionaries(required, optional=fields)


# ----------------------------------------------------------------------------------------------- what breaks the rules


@st.composite
def _changed(draw: st.DrawFn, of: tuple[type[Struct], ...]) -> Json:
    """An event in which one place, or several, is not what it should be."""
    event = draw(events(of))
    for _ in range(draw(st.integers(1, 3))):
        if there := places(event):
            draw(st.sampled_from(CHANGES))(draw, *draw(st.sampled_from(there)))
    if (there := places(event)) and draw(st.booleans()):  # the same twice, such as an item that is its own predecessor
        (parent, key), (other, other_key) = draw(st.sampled_from(there)), draw(st.sampled_from(there))
        parent[key] = other[other_key] if not isinstance(other[other_key], dict | list) else None
    return event


def places(value: Json) -> list[tuple[Json, Any]]:
    """Every place inside, as the object or list it is in and its key there."""
    found: list[tuple[Json, Any]] = []
    if isinstance(value, dict):
        found = [(value, key) for key in cast("dict[str, Json]", value)]
    elif isinstance(value, list):
        found = [(value, index) for index in range(len(cast("list[Json]", value)))]
    return [place for parent, key in found for place in ((parent, key), *places(parent[key]))]


def _missing(_draw: st.DrawFn, parent: Json, key: Any) -> None:
    if isinstance(parent, dict):
        cast("dict[str, Json]", parent).pop(key, None)


def _renamed(draw: st.DrawFn, parent: Json, key: Any) -> None:
    if isinstance(parent, dict) and key in parent:
        fields = cast("dict[str, Json]", parent)
        fields[draw(TEXT | st.sampled_from(sorted(WORDS)))] = fields.pop(key)


def _extra(draw: st.DrawFn, parent: Json, _key: Any) -> None:
    if isinstance(parent, dict):
        parent[draw(TEXT)] = draw(ANY)


def _replaced(draw: st.DrawFn, parent: Json, key: Any) -> None:
    if key in parent or isinstance(parent, list):
        parent[key] = draw(
            st.none()
            | st.sampled_from([float("nan"), float("inf"), 10**400, -(2**63), "\ud800", "\x00", "A" * 100_000, "="])
            | st.sampled_from(sorted(NESTED))
            | ANY
        )


def _another_type(draw: st.DrawFn, parent: Json, _key: Any) -> None:
    if isinstance(parent, dict) and "type" in parent:
        parent["type"] = draw(st.sampled_from(sorted(wire.SERVER_TYPES | wire.CLIENT_TYPES)) | TEXT)


CHANGES: Sequence[Callable[[st.DrawFn, Json, Any], None]] = (_missing, _renamed, _extra, _replaced, _another_type)


def _written(draw: st.DrawFn, event: Json) -> str:
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    for word, nested in NESTED.items():  # deeper than Python's own encoder goes
        text = text.replace(f'"{word}"', nested)
    return text


@st.composite
def _broken(draw: st.DrawFn, of: tuple[type[Struct], ...]) -> Frame:
    """A frame that is not one JSON object, or holds in its text what JSON allows and nobody expects."""
    text = _written(draw, draw(events(of)))
    return draw(st.sampled_from(BREAKS))(draw, text)


def _cut_off(draw: st.DrawFn, text: str) -> Frame:
    return text[: draw(st.integers(0, len(text)))]


def _other_bytes(draw: st.DrawFn, text: str) -> Frame:
    frame = text.encode(errors="surrogatepass")
    start = draw(st.integers(0, len(frame)))
    end = draw(st.integers(start, min(len(frame), start + 8)))
    return frame[:start] + draw(st.binary(max_size=8)) + frame[end:]


def _twice_the_key(draw: st.DrawFn, text: str) -> Frame:
    return text[:-1] + f", {json.dumps(draw(st.sampled_from(sorted(WORDS))))}: {json.dumps(draw(ANY))}}}"


def _deep(draw: st.DrawFn, text: str) -> Frame:
    depth = draw(st.sampled_from([100, 500, 900, 2000, 50_000]))
    opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
    key = draw(st.sampled_from(["future", "item", "session", "part", "tools", "usage"]))
    return text[:-1] + f', "{key}": {opening * depth}0{closing * depth if draw(st.booleans()) else ""}}}'


def _long(draw: st.DrawFn, text: str) -> Frame:
    place = draw(st.sampled_from([at for at, character in enumerate(text) if character == '"'] or [0]))
    return (
        text[:place]
        + draw(st.sampled_from(["A", "\\u0001", "é", " "])) * draw(st.sampled_from([1000, 300_000]))
        + text[place:]
    )


def _odd_number(draw: st.DrawFn, text: str) -> Frame:
    digits = [at for at, character in enumerate(text) if character.isdigit()] or [0]
    place = draw(st.sampled_from(digits))
    number = draw(st.sampled_from(["-", "1e999", "-1e999", "9" * 5000, "0x1", "NaN", "-Infinity", "1.5"]))
    return text[:place] + number + text[place + 1 :]


def _binary(_draw: st.DrawFn, text: str) -> Frame:
    return text.encode(errors="surrogatepass")


BREAKS: Sequence[Callable[[st.DrawFn, str], Frame]] = (
    _cut_off,
    _other_bytes,
    _twice_the_key,
    _deep,
    _long,
    _odd_number,
    _binary,
)


@st.composite
def frames(draw: st.DrawFn, of: tuple[type[Struct], ...], *, valid: int = 2, wrong: int = 5) -> Sent:
    """One frame: so many parts of them are as they should be, and so many are not."""
    if draw(st.integers(0, valid + wrong - 1)) < valid:
        return Sent("valid", _written(draw, draw(events(of))))
    kind = draw(st.sampled_from(["changed", "changed", "broken", "broken", "noise"]))
    match kind:
        case "changed":
            return Sent(kind, _written(draw, draw(_changed(of))))
        case "broken":
            return Sent(kind, draw(_broken(of)))
        case _:
            return Sent(kind, draw(st.text(max_size=50) | st.binary(max_size=50) | ANY.map(json.dumps)))
