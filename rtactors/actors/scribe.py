"""The context actor's word to the journal: which items have changed, and what the app is to learn once that is written.

Without a journal it lets the app know at once, and does nothing else.
"""

import anyio
from msgspec import convert

from rtactors import mail
from rtactors.actor import Publish
from rtactors.channels import Inbox
from rtactors.journal.records import Heard, ItemChanged, SavedItem, Spoken
from rtactors.ledger import Entry, Ledger


class Scribe:
    """Gathers what one message to the context actor has changed, until `hand_over`."""

    def __init__(self, journal: Inbox[mail.JournalMail] | None, publish: Publish) -> None:
        self._journal = journal
        self._publish = publish
        self._touched: dict[str, Entry] = {}
        self._heard: list[Heard] = []
        self._then: list[mail.Acknowledgement] = []
        self._told: dict[str, ItemChanged] = {}  # each item as the journal has it

    def touch(self, entry: Entry) -> Entry:
        """It changes now, maybe."""
        if self._journal is not None:
            self._touched[entry.item.id] = entry
        return entry

    def moved(self, entry: Entry) -> None:
        """It stands elsewhere now, be it behind the item that it was behind when the journal was last told of it."""
        self._told.pop(self.touch(entry).item.id, None)

    def heard(self, so_far: mail.HeardSoFar) -> None:
        """A message is being heard: so much of it was."""
        self._heard.append(
            Heard(so_far.message_id, so_far.heard_ms, so_far.generated_ms, so_far.text, so_far.started_at)
        )

    def acknowledge(self, acknowledgement: mail.Acknowledgement) -> None:
        """Let the app know, once what it is about is durable."""
        if self._journal is None:
            acknowledge(acknowledgement, self._publish)
        else:
            self._then.append(acknowledgement)

    def remember(self, ledger: Ledger) -> None:
        """The journal has this already."""
        self._told = {entry.item.id: _as_it_is(entry) for entry in ledger}

    def hand_over(self) -> None:
        """Tell the journal actor."""
        if self._journal is None:
            return
        now = {id: _as_it_is(entry) for id, entry in self._touched.items()}
        changed = [change for id, change in now.items() if self._told.get(id) != change]
        if changed or self._heard or self._then:
            self._journal.send(mail.WriteDown((*changed, *self._heard), tuple(self._then)))
        self._told |= now
        self._touched.clear()
        self._heard.clear()
        self._then.clear()


def acknowledge(acknowledgement: mail.Acknowledgement, publish: Publish) -> None:
    """Let the app know."""
    match acknowledgement:
        case anyio.Event():
            acknowledgement.set()
        case mail.ReplyOver():
            over = acknowledgement
            over.reply.resolve(over.status, interrupted=over.interrupted, failure=over.failure, output=over.output)
        case _:
            publish(acknowledgement)


def _as_it_is(entry: Entry) -> ItemChanged:
    return ItemChanged(
        item=convert(entry.item, SavedItem, from_attributes=True),
        after=entry.previous.item.id if entry.previous else "",
        response_id=entry.response_id,
        generated_ms=entry.generated_ms,
        spoken=entry.spoken and convert(entry.spoken, Spoken, from_attributes=True),
        removed=entry.keep_ms == 0,
        handed_over=entry.handed_over,
    )
