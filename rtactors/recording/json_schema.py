"""The JSON Schema of a recording's lines: `python -m rtactors.recording.json_schema` prints it."""

import sys
from collections.abc import Iterable
from typing import Any, get_args

from msgspec import Struct, defstruct, json

from rtactors import mail, session_events
from rtactors.events import Function, Item, ResponseOptions, Setup
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.journal.records import Change, SavedItem, Spoken
from rtactors.recording import lines
from rtactors.recording.plain import MAIL
from statecharts.catalog import CHARTS

_WRITE_DOWN = defstruct(
    "WriteDown",
    [(field, tuple[lines.Plain, ...]) for field in mail.WriteDown.__struct_fields__],
    module=mail.__name__,
    namespace={"__doc__": mail.WriteDown.__doc__},
)
"""Of several types that are told apart by nothing, msgspec states no schema: which they are is filled in below."""


def schema() -> dict[str, Any]:
    """Each line is one of the kinds; what an actor is told, or shows, is one of the types."""
    told = {_WRITE_DOWN, *(of for of_actor in MAIL.values() for of in of_actor.values())}
    changes = set(get_args(Change))
    shown = set(get_args(session_events.SessionEvent))
    moves = {event for chart in CHARTS.values() for event in chart.events.values()}
    kinds = [lines.Header, *get_args(lines.Event), lines.Audio]
    parts = {HistoryItem, Item, SavedItem, Spoken, Function, ResponseOptions, Setup, Interruption}
    every = [*kinds, lines.JournalRecord, *_by_name({*told, *shown, *moves, *changes, *parts, mail.ReplyOver})]
    references, definitions = json.schema_components(every, schema_hook=_by_its_name)
    reference = dict(zip(every, references, strict=True))
    for of in every:
        _finish(_definition(definitions, reference[of]), typed=of not in {*kinds, lines.JournalRecord})
    for kind, field, of in (
        (lines.Sent, "mail", told),
        (lines.Reminder, "mail", told),
        (lines.Published, "event", shown),
    ):
        _definition(definitions, reference[kind])["properties"][field] |= _any_of(reference, of)
    record = _definition(definitions, reference[lines.JournalRecord])["properties"]
    record["change"]["anyOf"] = [*_any_of(reference, changes)["anyOf"], {"type": "null"}]
    write = _definition(definitions, reference[_WRITE_DOWN])["properties"]
    write["changes"]["items"] = _any_of(reference, changes)
    write["then"]["items"] = {"anyOf": [*_any_of(reference, {*shown, mail.ReplyOver})["anyOf"], {"type": "string"}]}
    transition = _definition(definitions, reference[session_events.Transition])["properties"]
    transition["event"] = _any_of(reference, moves)
    _definition(definitions, reference[lines.Over])["properties"]["history"]["items"] = reference[HistoryItem]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a recording of rtactors",
        "description": "The first line is a Header, each other one event. What has its default may be left out. "
        'Audio stands as {"$audio": Audio}.',
        "anyOf": [reference[kind] for kind in kinds[:-1]],
        "$defs": definitions,
    }


def _by_name(types: Iterable[type[Struct]]) -> list[type[Struct]]:
    return sorted(types, key=lambda of: (of.__module__, of.__qualname__))


def _by_its_name(of: type) -> dict[str, Any]:
    """What lives stands there by its name; an effect is one of its chart's."""
    return {"type": "object", "required": ["type"]} if of is object else {"type": "string"}


def _finish(definition: dict[str, Any], *, typed: bool) -> None:
    """Mail and events name their type, and audio is no bare text."""
    properties = definition["properties"]
    if typed:
        properties = definition["properties"] = {"type": {}, **properties} | {"type": {"const": definition["title"]}}
    for name, each in properties.items():
        if each.get("contentEncoding") == "base64":
            properties[name] = {"type": "object", "properties": {"$audio": {"$ref": "#/$defs/Audio"}}}


def _any_of(reference: dict[type[Struct], dict[str, Any]], types: Iterable[type[Struct]]) -> dict[str, Any]:
    return {"anyOf": [reference[of] for of in _by_name(types)]}


def _definition(definitions: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    return definitions[reference["$ref"].rpartition("/")[2]]


if __name__ == "__main__":
    sys.stdout.buffer.write(json.format(json.encode(schema())) + b"\n")
