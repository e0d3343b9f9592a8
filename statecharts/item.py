"""The life of one item in the server's history, as far as we know it.

The ledger says what an item should be; this says what the server holds, and what is on its way there. What is on its
way counts as done, so nothing is sent twice. An item that was never announced is not deleted, it is `condemned`: if it
turns up, it is deleted then. An item that is wanted shorter (`Keep`) is cut once the server is known to hold more of it
than was heard, and never otherwise. Acknowledgements and refusals come by item and by operation; a lost one is a
transition (`Expired`), not a wait: a cut or a delete is sent once more, then the item is `unconfirmed`; a create is
not, since a server may take it twice. Each time the app is told. A refusal because the item does not exist is what a
delete wanted.
Text can't be cut: an item of which only a part was shown (`Reword`) is deleted, and once the server has said so it is
created again under its id, where it stood. Until then nothing of that id is sent.
When the server is lost with all it held (`Lost`), what was wanted there is `unknown` to the next one, and created anew.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Create(Struct, frozen=True, tag=True, gc=False):
    """We want the server to hold this item, behind the item `after` (None: at the end, `""`: at the front)."""

    after: str | None = None


class Added(Struct, frozen=True, tag=True, gc=False):
    """The server holds it."""


class Keep(Struct, frozen=True, tag=True, gc=False):
    """Only `heard_ms` of it were heard, of `generated_ms` that the server is known to have made."""

    heard_ms: int
    generated_ms: int


class Reword(Struct, frozen=True, tag=True, gc=False):
    """Of its text only a part was shown, and the server is known to hold more."""


class Drop(Struct, frozen=True, tag=True, gc=False):
    """The server is not to hold it."""


class Truncated(Struct, frozen=True, tag=True, gc=False):
    """The server has cut it."""

    audio_end_ms: int


class Deleted(Struct, frozen=True, tag=True, gc=False):
    """The server has deleted it."""

    again: bool = False
    """True if it is to be created again, with what was shown of it."""
    after: str | None = None
    """Behind which item, as in `Create`."""


class Refused(Struct, frozen=True, tag=True, gc=False):
    """The operation in flight was refused."""

    kind: Literal["absent", "too_short", "other"]
    """As in `rtactors.events.ErrorKind`, of which the rest mean `other` here."""
    message: str
    attempt: int
    limit_ms: int | None = None
    again: bool = False
    """True if it was said, and is told to this server or another one."""
    after: str | None = None
    """Behind which item it is created, if it turns out to be absent."""


class Expired(Struct, frozen=True, tag=True, gc=False):
    """The operation in flight was not acknowledged in time, for the `attempt`th time."""

    attempt: int
    heard_ms: int = 0
    """What the cut in flight asked for, if it is one."""


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The server that held it is gone, with all that was on the way there."""


ItemEvent: TypeAlias = Create | Added | Keep | Reword | Drop | Truncated | Deleted | Refused | Expired | Lost


class SendCreate(Struct, frozen=True, tag=True, gc=False):
    """Ask the server to hold it."""

    item_id: str
    after: str | None


class SendTruncate(Struct, frozen=True, tag=True, gc=False):
    """Ask the server to cut it."""

    item_id: str
    audio_end_ms: int


class SendDelete(Struct, frozen=True, tag=True, gc=False):
    """Ask the server to delete it."""

    item_id: str


class Report(Struct, frozen=True, tag=True, gc=False):
    """Tell the app that the server may not hold what it should."""

    item_id: str
    problem: str


ItemEffect: TypeAlias = SendCreate | SendTruncate | SendDelete | Report


def holds_more(event: Keep) -> bool:
    """The server holds more than was heard. (A cut at 0 is refused by servers: such an item is dropped instead.)"""
    return 0 < event.heard_ms < event.generated_ms


def absent(event: Refused) -> bool:
    return event.kind == "absent"


def shorter(event: Refused) -> bool:
    """The server's audio ends before the cut; it said where, and this is the first time."""
    return event.kind == "too_short" and bool(event.limit_ms) and event.attempt == 1


def again(event: Deleted | Refused) -> bool:
    return event.again


def first_time(event: Expired) -> bool:
    return event.attempt == 1


def first_cut(event: Expired) -> bool:
    """A cut that was sent once. (Never at 0: see `holds_more`.)"""
    return event.attempt == 1 and event.heard_ms > 0


def send_create(item_id: str, event: Create | Deleted | Refused) -> SendCreate:
    return SendCreate(item_id, event.after)


def send_truncate(item_id: str, event: Keep) -> SendTruncate:
    return SendTruncate(item_id, event.heard_ms)


def send_truncate_shorter(item_id: str, event: Refused) -> SendTruncate:
    return SendTruncate(item_id, event.limit_ms or 0)


def send_truncate_again(item_id: str, event: Expired) -> SendTruncate:
    return SendTruncate(item_id, event.heard_ms)


def send_delete(item_id: str, _event: Reword | Drop | Added | Expired) -> SendDelete:
    return SendDelete(item_id)


def report_refused(item_id: str, event: Refused) -> Report:
    return Report(item_id, f"the server refused: {event.message}")


def report_unanswered(item_id: str, _event: Expired) -> Report:
    return Report(item_id, "the server did not acknowledge what it was asked")


ITEM: Chart[ItemEvent, ItemEffect] = Chart(
    "item",
    states={
        "unknown": "not announced by the server",
        "present": "the server holds it whole",
        "creating": "the server is to hold it",
        "condemned": "not wanted, and not announced yet",
        "truncating": "its cut is on the way",
        "unconfirmed": "the server refused or never answered",
        "deleting": "its delete is on the way",
        "truncated": "the server holds what was heard of it",
        "rewriting": "its delete is on the way; then it is created again, with what was shown of it",
    },
    final={"gone": "the server does not hold it"},
    edges=(
        on("unknown", Create, "creating", send_create),
        on("unknown", Added, "present"),
        on("unknown", Drop, "condemned"),
        on("unknown", Deleted, "gone"),
        on("creating", Added, "present"),
        on("creating", Drop, "condemned"),
        on("creating", Refused, "unknown", report_refused, when=again),
        on("creating", Refused, "gone", report_refused),
        on("creating", Expired, "creating", report_unanswered),
        on("creating", Deleted, "gone"),
        on("creating", Lost, "unknown"),
        on("condemned", Added, "deleting", send_delete),
        on("condemned", Refused, "gone"),
        on("condemned", Deleted, "gone"),
        on("condemned", Lost, "gone"),
        on("present", Keep, "truncating", send_truncate, when=holds_more),
        on("present", Keep, "present"),
        on("present", Reword, "rewriting", send_delete),
        on("present", Drop, "deleting", send_delete),
        on("present", Truncated, "truncated"),
        on("present", Deleted, "gone"),
        on("present", Lost, "unknown"),
        on("truncating", Truncated, "truncated"),
        on("truncating", Reword, "rewriting", send_delete),
        on("truncating", Drop, "deleting", send_delete),
        on("truncating", Deleted, "gone"),
        on("truncating", Refused, "truncating", send_truncate_shorter, when=shorter),
        on("truncating", Refused, "gone", report_refused, when=absent),
        on("truncating", Refused, "unconfirmed", report_refused),
        on("truncating", Expired, "truncating", send_truncate_again, when=first_cut),
        on("truncating", Expired, "unconfirmed", report_unanswered),
        on("truncating", Lost, "unknown"),
        on("truncated", Reword, "rewriting", send_delete),
        on("truncated", Drop, "deleting", send_delete),
        on("truncated", Deleted, "gone"),
        on("truncated", Lost, "unknown"),
        on("deleting", Deleted, "gone"),
        on("deleting", Refused, "gone", when=absent),
        on("deleting", Refused, "unconfirmed", report_refused),
        on("deleting", Expired, "deleting", send_delete, when=first_time),
        on("deleting", Expired, "unconfirmed", report_unanswered),
        on("deleting", Lost, "gone"),
        on("rewriting", Deleted, "creating", send_create),
        on("rewriting", Refused, "creating", send_create, when=absent),
        on("rewriting", Refused, "unconfirmed", report_refused),
        on("rewriting", Expired, "rewriting", send_delete, when=first_time),
        on("rewriting", Expired, "unconfirmed", report_unanswered),
        on("rewriting", Drop, "deleting"),
        on("rewriting", Lost, "unknown"),
        on("unconfirmed", Truncated, "truncated"),
        on("unconfirmed", Deleted, "creating", send_create, when=again),
        on("unconfirmed", Deleted, "gone"),
        on("unconfirmed", Added, "present"),
        on("unconfirmed", Drop, "deleting", send_delete),
        on("unconfirmed", Lost, "unknown"),
    ),
    ignored={
        "unknown": (Keep, Reword, Truncated, Refused, Expired, Lost),
        "creating": (Keep, Reword, Truncated),
        "condemned": (Keep, Reword, Drop, Truncated, Expired),
        "present": (Added, Refused, Expired),
        "truncating": (Added, Keep),
        "truncated": (Added, Keep, Truncated, Refused, Expired),
        "deleting": (Added, Keep, Reword, Drop, Truncated),
        "rewriting": (Added, Keep, Reword, Truncated),
        "unconfirmed": (Keep, Reword, Refused, Expired),
        "gone": (Added, Keep, Reword, Drop, Truncated, Deleted, Refused, Expired, Lost),
    },
)
