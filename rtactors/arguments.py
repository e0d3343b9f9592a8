"""What an app hands over is looked at where it does so: later it would be an actor that fails, and with it the session.

Raises TypeError for what is of another type, ValueError for what no server could be sent.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from rtactors import events, mail
from rtactors.alignment.base import Aligner
from rtactors.errors import ConfigurationError
from rtactors.events import ItemStatus, Role
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.journal.base import Journal
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.pipeline import Pipeline
from rtactors.providers.base import Provider
from rtactors.reply import ReplyRecord
from rtactors.sinks.base import Sink
from rtactors.voices.base import Voice

_KINDS = ("message", "function_call", "function_call_output")
"""Of an item that a server can be sent: `other` is what we have no word for."""
_LONGEST_ID = 256
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OF_A_RESPONSE = set(events.ResponseOptions.__struct_fields__) - {"functions", "say"}
_OF_A_REQUEST = {"priority", "timeout", "interruption"}
_BESIDE = {"input", "out_of_band"}
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


def is_function_name(value: object) -> bool:
    """Whether a model can call a function by it."""
    return isinstance(value, str) and _FUNCTION_NAME.fullmatch(value) is not None


def instance(what: str, value: object, kind: type, example: str) -> None:
    """`value` is of this kind, and not the class of it."""
    if isinstance(value, type) or not isinstance(value, kind):
        raise TypeError(f"{what} is an object such as {example}, not {value!r}")


def settings(  # noqa: PLR0913, PLR0917 - what a session is given
    provider: object,
    sink: object,
    connect: object,
    reconnect: object,
    deadlines: object,
    bounds: object,
    interruption_rule: object,
) -> None:
    """What a session is made of is what it has to be."""
    for what, value, kind, example in (
        ("a provider", provider, Provider, 'OpenAIRealtime("gpt-realtime")'),
        ("a sink", sink, Sink, 'WavSink("heard.wav")'),
        ("deadlines", deadlines, Deadlines, "Deadlines(start=20)"),
        ("bounds", bounds, Bounds, "Bounds(calls=4)"),
    ):
        instance(what, value, kind, example)
    if reconnect is not None:
        instance("reconnect", reconnect, Backoff, "Backoff(give_up=30)")
    for name, function in (("connect", connect), ("interruption_rule", interruption_rule)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} has to be a function, not {function!r}")


def request(reply: ReplyRecord, wanted: Mapping[str, Any], longest: int, *, joins: bool) -> mail.RequestReply:
    """What is `wanted` of a reply, if a provider can be asked for it. `joins` if it need answer nothing in particular:
    it is one like any other, or beside them.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    if unknown := given.keys() - _OF_A_RESPONSE - _OF_A_REQUEST:
        raise TypeError(f"a reply has no {', '.join(sorted(unknown))}")
    _check_beside(given, joins=joins)
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


def _check_beside(given: Mapping[str, Any], *, joins: bool) -> None:
    if not joins and (beside := given.keys() & _BESIDE):
        raise TypeError(f"only generate_reply takes {' and '.join(sorted(beside))}: this reply is to what is said here")
    if not isinstance(given.get("out_of_band", False), bool):
        raise TypeError(f"out_of_band is True or False, not {given['out_of_band']!r}")
    if not isinstance(given.get("input", ()), Iterable):
        raise TypeError(f"input is a list of Item, not {_kind(given['input'])}")


def words(wanted: Mapping[str, Any]) -> None:
    """What is `wanted` of words that are given: not how they are to be made."""
    if unknown := wanted.keys() - _OF_A_REQUEST:
        raise TypeError(f"given words have no {', '.join(sorted(unknown))}: generate_reply takes it")


def interruption(policy: object) -> Interruption:
    if not isinstance(policy, Interruption):
        raise TypeError(f"a policy of interruption is an Interruption, not {_kind(policy)}")
    return policy


def _metadata(value: object, longest: int) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata is a dict of texts, not {_kind(value)}")
    metadata = dict(cast("Mapping[str, str]", value))
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


def aligner(value: object) -> Aligner:
    """`value`, if it is one."""
    if isinstance(value, type) or not isinstance(value, Aligner):
        raise TypeError(f"an aligner is an object such as EvenAligner(), from rtactors.alignment, not {value!r}")
    return value


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
    if isinstance(voice, type) or not isinstance(voice, Voice):
        raise TypeError(f"a voice is an object such as EspeakVoice(), from rtactors.voices, not {voice!r}")
    if voice.rate != sink.rate:
        raise ConfigurationError(
            f"the voice speaks at {voice.rate} Hz, but the sink plays at {sink.rate} Hz: make the voice with "
            f"rate={sink.rate}"
        )


def journal(value: object) -> None:
    if not isinstance(value, Journal):
        raise TypeError(f"a journal is an object such as SqliteJournal(path), not {value!r}")
