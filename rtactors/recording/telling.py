"""Events of a recording in words: one line each."""

from collections import Counter
from typing import Any, cast, get_args

from msgspec import Raw, json

from rtactors.recording import lines

_LONGEST = 60
"""Characters of a text: enough to know it by."""


KINDS = tuple(kind.__name__.lower() for kind in get_args(lines.Event))


def kind_of(event: lines.Event) -> str:
    """`sent`, `taken`, ... as in the file."""
    return type(event).__name__.lower()


def type_of(event: lines.Event) -> str:
    """Which mail or event it is about, by the name of its class; of a transition, what happened. Else ""."""
    match event:
        case lines.Sent(mail=told) | lines.Reminder(mail=told):
            return str(told["type"])
        case lines.Published(event={"type": "Transition", "event": {"type": str(name)}}):
            return name
        case lines.Published(event=told):
            return str(told["type"])
        case _:
            return ""


def sentence(event: lines.Event, taken: lines.Event | None = None) -> str:  # noqa: C901, PLR0911, PLR0912 (a table)
    """What happened, without when and by whom; `taken` is the event that it took, if that is known."""
    match event:
        case lines.Sent():
            lane = " (urgent)" if event.urgent else ""
            lost = f" (lost: its inbox is {event.lost})" if event.lost else ""
            return f"to {event.to}: {told(event.mail)}{lane}{lost}"
        case lines.Taken():
            return f"takes {type_of(taken) if taken else 'what was sent'} ({event.sent})"
        case lines.Cancelled():
            return f"waits no longer: {f'connection {event.socket}: ' if event.socket else event.wait}{event.call}"
        case lines.Begun():
            return f"begins task {event.task}"
        case lines.Awaited():
            return f"has waited for {event.wait}"
        case lines.Seen():
            return f"sees {event.what} {event.value}"
        case lines.Aligned():
            words = "".join(f"{word.text} ({word.start_ms} to {word.end_ms} ms)" for word in event.words)
            return f"alignment {event.alignment}: behind {event.same} words{words}"
        case lines.Reminder():
            return f"wants in {event.seconds:g} s: {told(event.mail)}"
        case lines.Published(event={"type": "Transition", **what}):
            effects = "".join(f" / {told(effect)}" for effect in what["effects"])
            moved = f"{what['before']} -> {what['after']}"
            return f"{what['chart']} {what['id']}: {told(what['event'])}: {moved}{effects}"
        case lines.Published():
            return f"shows {told(event.event)}"
        case lines.Closed():
            return f"closes the inbox of {event.inbox}"
        case lines.Provider():
            return f"{event.call}{_named(event.url)}{_failed(event.error)}"
        case lines.Socket():
            frame = f" {_frame(event.frame)}" if isinstance(event.frame, Raw) else ""
            return f"connection {event.socket}: {event.call}{frame}{_failed(event.error)}"
        case lines.Journal():
            return f"journal: {event.call} {_records(event.records)}{_failed(event.error)}"
        case lines.Device():
            audio = f" {value(event.audio)}" if event.audio else ""
            return f"device: {event.call}{_named(event.message_id)}{audio}{_failed(event.error)}"
        case lines.Crashed():
            return f"crashes{''.join(map(_failed, event.errors))}"
        case lines.Over():
            return f"it is over; the history has {len(event.history)} items"
        case lines.Incomplete():
            return f"the recording ends here: {event.reason}"


def told(plain: lines.Plain) -> str:
    """Mail, an event or an effect: `Truncate(message_id=item_1, heard_ms=300)`."""
    fields = ", ".join(f"{name}={value(each)}" for name, each in plain.items() if name != "type")
    return f"{plain['type']}({fields})" if fields else str(plain["type"])


def value(each: Any) -> str:  # noqa: ANN401 - JSON
    """One value, shortened if it is long."""
    match each:
        case {"$audio": {"bytes": int(count)}}:
            return f"{count} bytes"
        case {"type": str()}:
            return told(cast("lines.Plain", each))
        case str():
            plain = 0 < len(each) <= _LONGEST and each.isprintable() and " " not in each
            return each if plain else repr(_cut(each))
        case _:
            return _cut(json.encode(each).decode())


def _records(records: tuple[lines.JournalRecord, ...]) -> str:
    """How many there are of each type."""
    count = Counter(str(record.change["type"]) if record.change else record.trouble for record in records)
    return ", ".join(f"{number} {each}" for each, number in count.items()) or "nothing"


def _frame(frame: Raw) -> str:
    """A frame by its type, and the ids in it."""
    tree = json.decode(frame)
    if not isinstance(tree, dict):
        return value(tree)
    members = cast("lines.Plain", tree)
    if "type" not in members:
        return value(members)
    ids = (f"{name}={each}" for name, each in members.items() if name.endswith("_id") and isinstance(each, str))
    return f"{members['type']} {' '.join(ids)}".rstrip()


def _named(name: str) -> str:
    return f" {name}" if name else ""


def _failed(error: lines.Failure | None) -> str:
    return f": {error.type}: {error.message}" if error else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
