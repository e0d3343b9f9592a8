"""A frame that could not be read, as an event that says why. For every wire whose events are JSON with a `type`."""

import re
from collections.abc import Container
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from rtactors.events import ProviderError, Unknown
from rtactors.providers.base import Frame

_EXCERPT: Final = 80
_REASON: Final = 200
"""Characters of a frame, and of a reason, that stand in a message: enough to find it, never its audio."""
_TYPE_FIRST: Final = re.compile(r'\s*\{\s*"type"\s*:\s*"([\w.]+)"')
"""Finds the type of a frame that isn't valid JSON: servers write it first."""


class _Head(Struct):
    type: str


_head_decoder: Final = Decoder(_Head)


def unread(frame: Frame, error: Exception, known: Container[str]) -> Unknown | ProviderError:
    """An event of a type that isn't `known`, or one that is wrong: only the type decides."""
    excerpt = frame[:_EXCERPT] if isinstance(frame, str) else frame[:_EXCERPT].decode(errors="replace")
    try:
        event_type = _head_decoder.decode(frame).type
    except (ValueError, RecursionError):
        found = _TYPE_FIRST.match(excerpt)
        event_type = found[1] if found else None
    else:
        if event_type not in known:
            return Unknown(event_type[:_EXCERPT])
    what = f"the event {event_type}" if event_type else "a frame"
    return ProviderError(
        kind="malformed",
        message=f"can't read {what}: {str(error)[:_REASON]} (it begins with {excerpt!r})",
    )
