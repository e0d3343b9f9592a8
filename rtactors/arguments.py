"""What an app hands over is looked at where it does so: later it would be an actor that fails, and with it the session.

Raises TypeError for what is of another type, ValueError for what no server could be sent.
"""

from typing import cast, get_args

from rtactors.events import ItemStatus, Role
from rtactors.history import HistoryItem

_KINDS = ("message", "function_call", "function_call_output")
"""Of an item that a server can be sent: `other` is what we have no word for."""
_LONGEST_ID = 256
_TEXTS = ("id", "heard_text", "generated_text", "name", "call_id", "arguments", "output")


def text(name: str, value: object, longest: int) -> str:
    """`value`, if it is a text that can be written as UTF-8, of no more than `longest` characters."""
    if not isinstance(value, str):
        raise TypeError(f"{name} has to be a str, not {_kind(value)}")
    if len(value) > longest:
        raise ValueError(
            f"{name} has {len(value)} characters, and Bounds.text allows {longest}: shorten it, or raise that"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} holds half of a surrogate pair at {error.start}, which is no character: "
            "decode it with errors='replace' where it comes from"
        ) from None
    return value


def session_id(value: object) -> str:
    """`value`, if a journal can find a session by it."""
    name = text("session_id", value, _LONGEST_ID)
    if not name:
        raise ValueError("session_id is empty: leave it out for a random one")
    return name


def role(value: object) -> None:
    _one_of("role", value, get_args(Role))


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {_shown(value)}, and has to be one of {', '.join(known)}")


def audio(value: object) -> bytes:
    """`value` as bytes that nobody changes any more."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"audio has to be bytes of PCM16, not {_kind(value)}")
    return bytes(cast("bytes", value))  # or what is like it


def history_item(item: object, longest: int) -> HistoryItem:
    """`item`, if a conversation can hold it."""
    if not isinstance(item, HistoryItem):
        raise TypeError(f"a history is made of HistoryItem, not of {_kind(item)}")
    for name in _TEXTS:
        text(f"{name} of a HistoryItem", getattr(item, name), longest)
    if item.phase is not None:
        text("phase of a HistoryItem", item.phase, longest)
    _one_of("kind of a HistoryItem", item.kind, _KINDS)
    _one_of("status of a HistoryItem", item.status, get_args(ItemStatus))
    if item.kind == "message":
        role(item.role)
    return item


def _kind(value: object) -> str:
    return type(value).__name__


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) and len(value) < 40 else f"of the type {_kind(value)}"  # noqa: PLR2004 - a line
