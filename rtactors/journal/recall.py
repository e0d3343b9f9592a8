"""From a journal back to a ledger: what was said, as it was heard, when the last record was written."""

from collections.abc import Iterable

from msgspec import Struct, convert
from msgspec.structs import replace

from rtactors.errors import JournalDamaged
from rtactors.events import Item
from rtactors.journal.base import Journal
from rtactors.journal.records import Damage, Heard, ItemChanged, Opened, Record, Spoken, decode, encode
from rtactors.ledger import Entry, Ledger
from rtactors.operations import number_of
from statecharts.message import ChatMessage


class Past(Struct, frozen=True):
    """What a journal tells of a session."""

    records: tuple[Record, ...] = ()
    torn: tuple[int, ...] = ()
    """The number of the last record, if it is not what was written."""
    next: int = 1
    """The number of the next record."""

    @property
    def last_id(self) -> int:
        """The highest number in an id that the session made: the next one makes a higher one."""
        changes = (record.change for record in self.records)
        return max((number_of(change.item.id) for change in changes if isinstance(change, ItemChanged)), default=0)


async def recall(journal: Journal, session_id: str) -> Past:
    """Read a session. A last record that is damaged was torn when its process ended: it was never acknowledged.

    Raises JournalDamaged for any other, JournalFailed, ConfigurationError.
    """
    stored = await journal.read(session_id)
    whole, damaged = _examine(session_id, stored)
    last = stored[-1][0] if stored else 0
    known = {number for record in whole if isinstance(record.change, Opened) for number in record.change.left_out}
    torn = (last,) if last in damaged else ()
    if serious := sorted(damaged - known - {*torn}):
        raise JournalDamaged(
            f"the journal of session {session_id!r} is damaged: {len(serious)} of its {last} records, the first of "
            f"them number {serious[0]}, are missing or not what was written. Each record tells all of one item, so the "
            "others hold: `salvage` of rtactors.journal copies them to a new session id, which can be resumed. An item "
            "whose last record is lost is then as it was before, or not there"
        )
    return Past(tuple(whole), torn, last + 1)


async def salvage(journal: Journal, session_id: str, into: str) -> int:
    """Copy what is whole of a damaged session to a new session id, which can be resumed; how many records are lost.

    The damaged session stays as it is. Raises JournalConflict if there is a session `into` already, JournalFailed.
    """
    whole, damaged = _examine(session_id, await journal.read(session_id))
    await journal.append(into, 1, [encode(into, number, record) for number, record in enumerate(whole, 1)])
    return len(damaged)


def _examine(session_id: str, stored: Iterable[tuple[int, bytes]]) -> tuple[list[Record], set[int]]:
    """The records that are what was written, in order, and the numbers of those that are not, or are missing."""
    whole: list[Record] = []
    damaged: set[int] = set()
    expected = 1
    for number, body in stored:
        damaged.update(range(expected, number))
        expected = number + 1
        try:
            whole.append(decode(session_id, number, body))
        except Damage:
            damaged.add(number)
    return whole, damaged


def ledger_of(records: Iterable[Record], *, epoch: float) -> Ledger:
    """The conversation that the records tell, for a session whose clock was 0 at `epoch`, in unix seconds.

    It has what was said, and nothing else: what was announced and not heard was never said, and a function call that
    nobody was told of was never made. No server holds any of it yet.
    """
    heard: dict[str, ChatMessage] = {}
    everything = Ledger()
    for record in records:
        change, shift = record.change, record.epoch - epoch
        match change:
            case ItemChanged():
                _change(everything, change, shift)
                if change.spoken or change.removed:
                    heard.pop(change.item.id, None)
            case Heard():
                heard[change.item_id] = _chat_message(change.item_id, _broken_off(change), shift)
            case Opened():
                pass
    ledger = Ledger()
    calls = [entry for entry in everything if entry.item.kind == "function_call"]
    nobodys = {entry.of_call for entry in calls if not entry.handed_over}  # and the outputs: that they were cancelled
    answered = {entry.item.call_id for entry in everything if entry.item.kind == "function_call_output"}
    for entry in everything:
        entry.spoken = entry.spoken or heard.get(entry.item.id)
        if entry.in_history and entry.of_call not in nobodys:
            _copy(entry, ledger)
            if entry.item.kind == "function_call" and entry.item.call_id not in answered:
                ledger.unanswered[entry.item.call_id] = entry.item.id
    return ledger


def _change(ledger: Ledger, change: ItemChanged, shift: float) -> None:
    item = convert(change.item, Item, from_attributes=True)
    if entry := ledger.get(item.id):
        if not change.after or change.after in ledger:
            ledger.move(entry, ledger.get(change.after))
    else:
        entry = ledger.add(item, change.after)
    entry.item = item
    entry.response_id = change.response_id
    entry.generated_ms = change.generated_ms
    entry.spoken = change.spoken and _chat_message(item.id, change.spoken, shift)
    entry.keep_ms = 0 if change.removed else None
    entry.handed_over = change.handed_over


def _copy(entry: Entry, ledger: Ledger) -> None:
    copy = ledger.add(entry.item)
    if copy.item.status == "in_progress":
        copy.item = replace(copy.item, status="incomplete")
    copy.response_id = entry.response_id
    copy.generated_ms = entry.generated_ms
    copy.spoken = entry.spoken
    copy.handed_over = entry.handed_over


def _broken_off(heard: Heard) -> Spoken:
    """A message whose process ended while it was being heard. What was generated beyond that is gone."""
    return Spoken(
        heard_text=heard.text,
        generated_text=heard.text,
        heard_ms=heard.heard_ms,
        generated_ms=heard.generated_ms,
        interrupted=True,
        started_at=heard.started_at,
        stopped_at=None,
        confirmed=False,
    )


def _chat_message(message_id: str, spoken: Spoken, shift: float) -> ChatMessage:
    """Its times are so many seconds later on the clock of the session that it is for."""
    return ChatMessage(
        message_id=message_id,
        heard_text=spoken.heard_text,
        generated_text=spoken.generated_text,
        heard_ms=spoken.heard_ms,
        generated_ms=spoken.generated_ms,
        interrupted=spoken.interrupted,
        started_at=None if spoken.started_at is None else spoken.started_at + shift,
        stopped_at=None if spoken.stopped_at is None else spoken.stopped_at + shift,
        confirmed=spoken.confirmed,
        voiced=spoken.voiced,
    )
