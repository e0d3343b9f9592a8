"""What an app hands over is looked at where it does so: later it would be an actor that fails, and with it the session.

Raises TypeError for what is of another type, ValueError for what no server could be sent.
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

from rtactors import events, mail
from rtactors.errors import ConfigurationError
from rtactors.events import ItemStatus, Role
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.journal.base import Journal
from rtactors.pipeline import Pipeline
from rtactors.providers.base import Provider
from rtactors.reply import ReplyRecord
from rtactors.sinks.base import Sink
from rtactors.voices.base import Voice

_KINDS = ("message", "function_call", "function_call_output")
"""Of an item that a server can be sent: `other` is what we have no word for."""
_LONGEST_ID = 256
_OF_A_RESPONSE = set(events.ResponseOptions.__struct_fields__) - {"functions", "say"}
_OF_A_REQUEST = {"priority", "timeout", "interruption"}
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


def request(reply: ReplyRecord, wanted: Mapping[str, Any], longest: int, *, joins: bool) -> mail.RequestReply:
    """What is `wanted` of a reply, if a provider can be asked for it. `joins` if it is one like any other."""
    given = {name: value for name, value in wanted.items() if value is not None}
    if unknown := given.keys() - _OF_A_RESPONSE - _OF_A_REQUEST:
        raise TypeError(f"a reply has no {', '.join(sorted(unknown))}")
    for name in ("instructions", "tool_choice"):
        if name in given:
            text(name, given[name], longest)
    if "output" in given:
        _one_of("output", given["output"], ("audio", "text"))
    if "input" in given:
        given["input"] = tuple(_item(item, longest) for item in given["input"])
        if not given.get("out_of_band"):
            raise ValueError(
                "a reply to other input than the conversation has to be out_of_band: nobody could tell "
                "from the history what it answers"
            )
    given["metadata"] = _metadata(given.get("metadata", {}), longest)
    priority, timeout = given.get("priority", 0), given.get("timeout")
    if not isinstance(priority, int):
        raise TypeError(f"priority has to be an int, not {_kind(priority)}")
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise ValueError(f"timeout has to be a number of seconds above 0, not {timeout!r}")
    _check_tokens(given.get("max_output_tokens"))
    options = events.ResponseOptions(**{name: given[name] for name in given.keys() & _OF_A_RESPONSE})
    return mail.RequestReply(
        reply,
        options,
        joins=joins and options == events.ResponseOptions(),
        priority=priority,
        timeout=timeout,
        interruption=interruption(given["interruption"]) if "interruption" in given else None,
    )


def interruption(policy: object) -> Interruption:
    if not isinstance(policy, Interruption):
        raise TypeError(f"a policy of interruption is an Interruption, not {_kind(policy)}")
    return policy


def _metadata(value: Mapping[str, str], longest: int) -> dict[str, str]:
    metadata = dict(value)
    for name, each in metadata.items():
        text("a key of metadata", name, longest)
        text(f"metadata {name!r}", each, longest)
    return metadata


def _check_tokens(value: object) -> None:
    if value is not None and not (isinstance(value, int) and value > 0):
        raise ValueError(f"max_output_tokens has to be a whole number above 0, not {value!r}")


def _item(item: object, longest: int) -> events.Item:
    if not isinstance(item, events.Item):
        raise TypeError(f"input is made of Item, not of {_kind(item)}")
    for name in ("id", "text", "name", "call_id", "arguments", "output"):
        text(f"{name} of an Item", getattr(item, name), longest)
    return item


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


def parts(provider: Provider, sink: Sink, of_journal: object, voice: object, pipeline: object) -> None:
    """What a session is made of fits together. Raises ConfigurationError if rates differ."""
    rate = provider.capabilities.output_rate
    if sink.rate != rate:
        raise ConfigurationError(
            f"{provider.name} sends audio at {rate} Hz, but the sink plays at {sink.rate} Hz: "
            f"make the sink with rate={rate}"
        )
    if of_journal is not None:
        journal(of_journal)
    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"a pipeline is made by Pipeline(message=(...,), ...), it is not {pipeline!r}")
    if voice is None:
        return
    if not isinstance(voice, Voice):
        raise TypeError(f"a voice is an object such as EspeakVoice(), from rtactors.voices, not {voice!r}")
    if voice.rate != sink.rate:
        raise ConfigurationError(
            f"the voice speaks at {voice.rate} Hz, but the sink plays at {sink.rate} Hz: make the voice with "
            f"rate={sink.rate}"
        )


def journal(value: object) -> None:
    if not isinstance(value, Journal):
        raise TypeError(f"a journal is an object such as SqliteJournal(path), not {value!r}")
