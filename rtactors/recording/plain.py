"""Mail, events and errors as JSON has them, and back.

A Struct becomes an object whose `type` names its class, without the fields that have their default, so that a field
that is added later changes no older recording. What lives (an inbox, a reply, a wait) becomes its name.
"""

import base64
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_args
from weakref import WeakKeyDictionary

import anyio
from msgspec import Struct, convert
from msgspec.structs import fields

from rtactors import mail
from rtactors.channels import Inbox
from rtactors.errors import ConfigurationError, ConnectionFailed, JournalConflict, JournalDamaged, JournalFailed
from rtactors.journal.records import Change
from rtactors.recording.lines import Failure, Plain
from rtactors.reply import ReplyRecord
from rtactors.transports.base import SocketClosed

T = TypeVar("T")

MAIL: dict[str, dict[str, type[Struct]]] = {
    actor: {each.__name__: each for each in get_args(union)}
    for actor, union in {
        "transport": mail.TransportMail,
        "turn": mail.TurnMail,
        "response": mail.ResponseMail,
        "transcript": mail.TranscriptMail,
        "sink": mail.SinkMail,
        "context": mail.ContextMail,
        "message": mail.MessageMail,
    }.items()
}
"""What an actor can be told, by its type's name. (Nobody outside tells the journal actor anything.)"""
_CHANGES = {each.__name__: each for each in get_args(Change)}
_ERRORS = {
    each.__name__: each
    for each in (ConfigurationError, JournalConflict, JournalDamaged, JournalFailed, RuntimeError, TimeoutError)
}
"""Those that are told apart by their type, and are made of a message."""


class Names:
    """What lives, by name; each has the same name whenever it is met."""

    def __init__(self) -> None:
        self._waits: WeakKeyDictionary[anyio.Event, str] = WeakKeyDictionary()
        self._replies: dict[str, ReplyRecord] = {}
        self._count = 0

    def of(self, value: object) -> str:
        match value:
            case Inbox():
                return cast("Inbox[Any]", value).name
            case ReplyRecord():
                return value.id
            case anyio.Event():
                if value not in self._waits:
                    self._count += 1
                    self._waits[value] = f"wait {self._count}"
                return self._waits[value]
            case _ if callable(value):
                return getattr(value, "__name__", "function")
            case _:
                return str(value)

    def make(self, of: type, name: object) -> object:
        """What is called so in a recording; made when it is met first."""
        if of is ReplyRecord:
            return self._replies.setdefault(str(name), ReplyRecord(str(name)))
        if of is anyio.Event:
            wait = anyio.Event()
            self._waits[wait] = str(name)
            self._count += 1  # what is met next has the next number, as when it was recorded
            return wait
        raise TypeError(f"a recording can't hold a {of.__name__} that comes from outside")


def plain(value: object, name_of: Callable[[object], str], audio: Callable[[bytes], Plain]) -> Any:  # noqa: ANN401 - JSON
    """As JSON. `audio` says what stands for bytes, `name_of` for what lives."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return audio(value)
        case Struct():
            told: Plain = {"type": type(value).__name__}
            for name, default in _fields(type(value)):
                each = getattr(value, name)
                if each != default:
                    told[name] = plain(each, name_of, audio)
            return told
        case tuple() | list():
            return [plain(each, name_of, audio) for each in cast("list[object]", value)]
        case dict():
            members = cast("Mapping[str, object]", value)
            return {name: plain(each, name_of, audio) for name, each in members.items()}
        case _:
            return name_of(value)


@cache
def _fields(of: type[Struct]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in fields(of))


def message_from(data: Plain, inbox: str, names: Names) -> Any:  # noqa: ANN401 - whatever it takes
    """The mail that `plain` wrote, to the inbox of this name. Raises ValidationError or KeyError if there is none such.

    A stage takes what the actor does before which it stands; and what it has asked.
    """
    _, stage, actor = inbox.rpartition(" before ")
    known = MAIL[actor.partition(" ")[0]]
    of = mail.Answer if stage and data["type"] == mail.Answer.__name__ else known[data["type"]]
    return convert(_with_audio(data), of, dec_hook=names.make)


def change_from(data: Plain) -> Change:
    """What a journal's record says, as `plain` wrote it. Raises ValidationError or KeyError if there is none such."""
    of = _CHANGES[data["type"]]
    return convert({**data, "type": of.__struct_config__.tag}, of)


def _with_audio(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case {"$audio": {"base64": str(text)}}:
            return base64.b64decode(text)
        case {"$audio": {"bytes": int(count)}}:
            return bytes(count)
        case dict():
            return {name: _with_audio(each) for name, each in cast("Plain", value).items()}
        case list():
            return [_with_audio(each) for each in cast("list[Any]", value)]
        case _:
            return value


def failure_of(error: BaseException, text: Callable[[str], str]) -> Failure:
    """An error as it is written down; `text` has a look at what it says."""
    return Failure(
        type=type(error).__name__,
        message=text(str(error)),
        code=error.code if isinstance(error, SocketClosed) else None,
        reason=text(error.reason) if isinstance(error, SocketClosed) else "",
        retryable=isinstance(error, ConnectionFailed) and error.retryable,
    )


def error_of(failure: Failure) -> Exception:
    """The same error again; of a type that is not ours, one of its name."""
    match failure.type:
        case "SocketClosed":
            return SocketClosed(failure.code, failure.reason)
        case "ConnectionFailed":
            return ConnectionFailed(failure.message, retryable=failure.retryable)
        case name:
            return _ERRORS.get(name, type(name, (Exception,), {}))(failure.message)
