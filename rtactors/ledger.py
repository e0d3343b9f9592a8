"""Our one record of the conversation: per item what was generated, what was heard, and what the server holds of it.

Pure and synchronous; written by the context actor alone. The app's history is a projection of it. Items stand in the
server's order, in a linked list, so that placing one costs the same in a conversation of ten items and of ten thousand.
Of what this server knows there is an index in that order: who looks for the next such item does not pass thousands that
were removed, or that a new server was not told.
"""

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter

from msgspec.structs import replace

from rtactors.events import Item
from rtactors.history import HistoryItem
from statecharts.chart import Life
from statecharts.item import ITEM
from statecharts.message import ChatMessage

_HELD = ITEM.group("creating", "present", "truncating", "truncated", "unconfirmed")
"""The states of an item which the server holds, once what is on its way has arrived."""

_TOLD = ITEM.group("present", "truncating", "truncated", "unconfirmed")
"""The states of an item of which the server has told, and so where it stands."""

_GAP = 1 << 128
"""Between the ranks of neighbours: 128 items one behind the other fit in before all are ranked anew."""

_by_rank = attrgetter("rank")


def item_of(said: HistoryItem, id: str) -> Item:
    """What a server is to hold of something that was said elsewhere: of the model's messages what was heard."""
    return Item(
        id=id,
        kind=said.kind,
        role=said.role,
        text=said.heard_text,
        phase=said.phase,
        name=said.name,
        call_id=said.call_id,
        arguments=said.arguments,
        output=said.output,
    )


def _characters(item: Item) -> int:
    return sum(map(len, (item.id, item.text, item.call_id, item.name, item.arguments, item.output)))


class Entry:
    """One item of the conversation."""

    __slots__ = (
        "_item",
        "_ledger",
        "cancelled",
        "generated_ms",
        "handed_over",
        "indexed",
        "keep_ms",
        "keep_text",
        "life",
        "next",
        "operation",
        "part",
        "part_from_ms",
        "previous",
        "rank",
        "response_id",
        "retold",
        "reworded",
        "spoken",
    )

    def __init__(self, item: Item, ledger: "Ledger") -> None:
        self._ledger = ledger
        self._item = item
        self.life: Life = ITEM.start(item.id)
        self.response_id: str | None = None
        self.generated_ms = 0
        self.spoken: ChatMessage | None = None
        """How it was heard; None for what is not spoken, and for what is still pending or playing."""
        self.keep_ms: int | None = None
        """How much of it the server is to hold: all (None), so much of its audio, or nothing of it (0)."""
        self.keep_text: str | None = None
        """The only text of it that the server is to hold, if that is not all and can't be had by a cut."""
        self.part = 0
        """The content part that the cut is made in, the last one; `part_from_ms` of what was heard are before it."""
        self.part_from_ms = 0
        self.reworded = False
        """Whether the server was told to hold just `keep_text`: it was deleted, to be created again."""
        self.retold = False
        """Whether the server that it came from is gone: the next one is told what was said, or heard, of it."""
        self.handed_over = False
        """Whether the app has it, or it came from there: of a function call, that it may be answered."""
        self.cancelled = False
        """Whether it is a function call that broke off, and the server is still to be told so."""
        self.operation: str | None = None
        """The id of what was last sent for it."""
        self.previous: Entry | None = None
        self.next: Entry | None = None
        self.rank = 0
        """Grows with the order of the conversation; compared with others', it says which of two comes first."""
        self.indexed = False
        """Whether the ledger has it among what this server knows."""

    @property
    def item(self) -> Item:
        """What is known of it."""
        return self._item

    @item.setter
    def item(self, item: Item) -> None:
        self._ledger.characters += _characters(item) - _characters(self._item)
        self._item = item

    @property
    def away(self) -> bool:
        """Whether this server holds it only if it was told to: it did not make it, or has deleted it for a while."""
        return self.retold or self.reworded

    @property
    def on_server(self) -> bool:
        """Whether the server holds it, as far as we know."""
        return self.life.state in _HELD

    @property
    def known(self) -> bool:
        """Whether this server knows of it, or is about to."""
        return self.life.state in _HELD or not (self.away or self.life.state in ITEM.final)

    @property
    def in_history(self) -> bool:
        """Whether it was said: an assistant's message only when it was heard, all else unless it was removed."""
        if self.keep_ms == 0:
            return False
        if self.item.kind == "message" and self.item.role == "assistant":
            written = self.response_id is None and self.item.status == "completed"
            return written or self.spoken is not None
        if self.item.kind == "message" and self.item.role is None:
            return False  # of nobody that we know: it could not be told to another server either
        return self.item.kind != "other"

    @property
    def of_call(self) -> str | None:
        """The id of the function call that it is, or is the output of; None for all else."""
        return self.item.call_id if self.item.kind in {"function_call", "function_call_output"} else None

    @property
    def heard_text(self) -> str:
        """What counts of its text."""
        item, spoken = self.item, self.spoken
        if spoken and spoken.interrupted:
            return spoken.heard_text + (self._ledger.cut_mark if spoken.heard_text else "")
        if spoken and item.status == "incomplete" and not spoken.voiced:
            return spoken.heard_text  # it broke off: its text was ahead of it
        return item.text or (spoken.heard_text if spoken else "")

    def told(self, audio: bytes) -> Item:
        """What another server is told of it: what was heard; for a user's turn without words its `audio`."""
        text = self.heard_text
        return replace(self.item, text=text, status="completed", audio=b"" if text else audio)

    def project(self) -> HistoryItem:
        """What the app sees of it."""
        item, spoken = self.item, self.spoken
        return HistoryItem(
            id=item.id,
            kind=item.kind,
            role=item.role,
            heard_text=self.heard_text,
            generated_text=item.text or (spoken.generated_text if spoken else ""),
            interrupted=spoken.interrupted if spoken else False,
            heard_ms=spoken.heard_ms if spoken else 0,
            generated_ms=max(self.generated_ms, spoken.generated_ms if spoken else 0),
            started_at=spoken.started_at if spoken else None,
            stopped_at=spoken.stopped_at if spoken else None,
            confirmed=spoken.confirmed if spoken else True,
            status=item.status,
            phase=item.phase,
            name=item.name,
            call_id=item.call_id,
            arguments=item.arguments,
            output=item.output,
        )


class Ledger:
    """The conversation's entries by id, and in the server's order."""

    def __init__(self, cut_mark: str = "") -> None:
        self.cut_mark = cut_mark
        """Stands behind the heard text of a message that was interrupted."""
        self.unanswered: dict[str, str] = {}
        """Function calls that were handed over and have no output yet: call id -> id of the call's item."""
        self.characters = 0
        """Of all that is known of its items."""
        self._entries: dict[str, Entry] = {}
        self._first: Entry | None = None
        self._last: Entry | None = None
        self._known: list[Entry] = []  # by this server, in order

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        entry = self._first
        while entry is not None:
            yield entry
            entry = entry.next

    def __getitem__(self, item_id: str) -> Entry:
        return self._entries[item_id]

    def get(self, item_id: str) -> Entry | None:
        return self._entries.get(item_id)

    def add(self, item: Item, after: str | None = None) -> Entry:
        """A new entry behind `after`: None is the end, `""` the front, as is an id that was never heard of the end."""
        return self._begin(item, self._predecessor(after))

    def learn(self, item: Item, after: str | None = None) -> Entry:
        """A new entry that a server tells of, behind `after` there."""
        return self._begin(item, self._behind_what_was(self._predecessor(after)))

    def place(self, entry: Entry, after: str | None) -> bool:
        """Move an entry to where the server says it stands; None and unknown ids leave it where it is.

        Whether it moved.
        """
        if after is None or after == entry.item.id or (after and after not in self._entries):
            return False
        before = self._known_before(entry)
        if (before.item.id if before else "") == after:
            return False
        self.move(entry, self._behind_what_was(self._predecessor(after)))
        return True

    def move(self, entry: Entry, before: Entry | None) -> None:
        """Behind another entry, or to the front, whatever a server says."""
        if before is not entry:
            self._unlink(entry)
            self._link(entry, before)

    def see(self, entry: Entry) -> None:
        """Whether this server knows of it may have changed."""
        known = entry.known
        if known is not entry.indexed:
            entry.indexed = known
            place = self._place_among_known(entry)
            if known:
                self._known.insert(place, entry)
            else:
                del self._known[place]

    def lose(self) -> None:
        """A server that knew of it is gone; the next one knows nothing."""
        for entry in self:
            entry.retold, entry.indexed = True, False
        self._known.clear()

    def history(self) -> list[HistoryItem]:
        """What was said, in the order of the conversation."""
        return [entry.project() for entry in self if entry.in_history]

    def anchor(self, entry: Entry) -> str:
        """What the server is to put `entry` behind: `""` for the front, else an id it holds."""
        before = self._known_before(entry)
        while before is not None and not before.on_server:  # it is not announced yet, or on its way out
            before = self._known_before(before)
        return before.item.id if before else ""

    def _begin(self, item: Item, before: Entry | None) -> Entry:
        # Where it stands was looked up before it is known: whoever says that it stands behind itself means the end.
        entry = self._entries[item.id] = Entry(item, self)
        self._link(entry, before)
        self.characters += _characters(item)
        return entry

    def _predecessor(self, after: str | None) -> Entry | None:
        return self._last if after is None else self._entries.get(after, self._last) if after else None

    def _behind_what_was(self, before: Entry | None) -> Entry | None:
        """What this server doesn't hold (yet, or for a while) was there before whatever it puts there."""
        place = self._place_among_known(before) + before.indexed if before else 0
        while place < len(self._known):
            following = self._known[place]
            if not following.away or following.life.state in _TOLD:
                return following.previous
            place += 1  # it is on its way
        return self._last

    def _known_before(self, entry: Entry) -> Entry | None:
        """The last item before it of which this server knows."""
        place = self._place_among_known(entry)
        return self._known[place - 1] if place else None

    def _place_among_known(self, entry: Entry) -> int:
        if not self._known or self._known[-1].rank < entry.rank:
            return len(self._known)
        return bisect_left(self._known, entry.rank, key=_by_rank)

    def _rank(self, entry: Entry) -> None:
        """In the middle between its neighbours; where there is no room any more, all anew."""
        previous, following = entry.previous, entry.next
        low = previous.rank if previous else following.rank - 2 * _GAP if following else -_GAP
        high = following.rank if following else low + 2 * _GAP
        entry.rank = (low + high) // 2
        if entry.rank == low:
            for number, each in enumerate(self):
                each.rank = number * _GAP

    def _link(self, entry: Entry, before: Entry | None) -> None:
        entry.previous = before
        entry.next = before.next if before else self._first
        if entry.previous:
            entry.previous.next = entry
        else:
            self._first = entry
        if entry.next:
            entry.next.previous = entry
        else:
            self._last = entry
        self._rank(entry)
        self.see(entry)

    def _unlink(self, entry: Entry) -> None:
        if entry.indexed:
            entry.indexed = False
            del self._known[self._place_among_known(entry)]
        if entry.previous:
            entry.previous.next = entry.next
        else:
            self._first = entry.next
        if entry.next:
            entry.next.previous = entry.previous
        else:
            self._last = entry.previous
