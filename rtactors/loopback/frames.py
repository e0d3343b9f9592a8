"""Reads what a client sends: an event, or `Rejected` with what is wrong in the words that OpenAI uses. Pure."""

import re

import msgspec
from msgspec import Struct

from rtactors.loopback.conversation import Rejected
from rtactors.providers.base import Frame
from rtactors.providers.openai import wire

DEEPEST = 100
"""How many objects and lists may be one inside the other. What is deeper could be read, but not safely copied."""

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]')
"""Strings, so that brackets inside them don't count, and brackets."""


def read(frame: Frame) -> wire.ClientEvent:
    """The event in a frame. Raises Rejected."""
    if isinstance(frame, bytes):
        raise Rejected("invalid_event", f"Events are text frames: this one of {len(frame)} bytes is binary.")
    try:
        event = wire.client_decoder.decode(frame)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except _UNREADABLE as error:
        raise Rejected("invalid_json", f"The event could not be read as JSON: {error}") from None
    if frame.count("{") + frame.count("[") > DEEPEST and _too_deep(frame):
        raise Rejected("invalid_json", f"The event is nested more than {DEEPEST} levels deep.")
    return event


def _too_deep(text: str) -> bool:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth > DEEPEST:
            return True
    return False


class _Envelope(Struct):
    event_id: object = None


def event_id(frame: Frame) -> str | None:
    """The id of an event that is otherwise not right."""
    try:
        found = msgspec.json.decode(frame, type=_Envelope).event_id
    except _UNREADABLE:
        return None
    return found if isinstance(found, str) else None


def _explained(error: str) -> Rejected:
    path = ".".join(re.findall(r"at `\$\.?(.*?)`", error))
    if missing := re.search(r"missing required field `(\w+)`", error):
        path = ".".join(filter(None, (path, missing[1])))
        return Rejected("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
    return Rejected("invalid_value", f"Invalid event: {error}", path or None)
