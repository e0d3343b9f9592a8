"""The ledger that a journal gives back is the one that was written down, whatever was done to it."""

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace

from rtactors import mail
from rtactors.actors.scribe import Scribe
from rtactors.channels import Inbox
from rtactors.events import Item
from rtactors.journal.recall import ledger_of
from rtactors.journal.records import Change, ItemChanged, Record, SavedItem
from rtactors.ledger import Ledger
from rtactors.session_events import SessionEvent
from statecharts.item import ITEM, Added


class Writer:
    """A ledger, and the changes that were written down of it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.inbox: Inbox[mail.JournalMail] = Inbox("journal", 10)
        self.scribe = Scribe(self.inbox, _publish)
        self.changes: list[Change] = []
        self.ids: list[str] = []

    def add(self, after: str | None, id: str = "") -> None:
        self.ids.append(id or f"item-{len(self.ids)}")
        self.scribe.touch(self.ledger.add(Item(id=self.ids[-1], role="user", text="first"), after))

    async def hand_over(self) -> list[Change]:
        """What the journal is told of all that was done since the last time."""
        self.scribe.hand_over()
        told = [] if self.inbox.empty else list((await self.inbox.receive()).changes)
        self.changes += told
        return told

    def recalled(self) -> Ledger:
        return ledger_of([Record(1, 0.0, 0.0, change) for change in self.changes], epoch=0.0)

    def check(self) -> None:
        assert self.recalled().history() == self.ledger.history()


def _publish(_event: SessionEvent) -> None: ...


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(30))
async def test_the_order_is_the_same(seed: int) -> None:
    chance = random.Random(seed)
    writer = Writer()
    for _ in range(60):
        entries = list(writer.ledger)
        somewhere = chance.choice([None, "", "never heard of", *writer.ids])
        match chance.randrange(5) if entries else 0:
            case 0 | 1:
                writer.add(somewhere)
            case 2:
                entry = chance.choice(entries)
                if writer.ledger.place(entry, somewhere):
                    writer.scribe.moved(entry)
            case 3:
                entry = writer.scribe.touch(chance.choice(entries))
                entry.item = replace(entry.item, text=f"text {chance.random()}")
            case _:
                writer.scribe.touch(chance.choice(entries)).keep_ms = 0
        await writer.hand_over()
        writer.check()


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(30))
async def test_a_history_that_is_set_at_once_has_its_order(seed: int) -> None:
    """Some go, some are new, each behind the one before it; all of that is one message to the context actor."""
    chance = random.Random(seed)
    writer = Writer()
    for _ in range(10):
        for entry in list(writer.ledger):
            if chance.random() < 0.3:
                writer.scribe.touch(entry).keep_ms = 0
        after = ""
        for entry in [entry for entry in writer.ledger if entry.in_history]:
            for _ in range(chance.choice([0, 0, 1, 3])):
                writer.add(after)
                after = writer.ids[-1]
            after = entry.item.id
        writer.add(after)
        await writer.hand_over()
        writer.check()


@pytest.mark.anyio
async def test_what_has_moved_to_the_front_is_there() -> None:
    writer = Writer()
    for _ in range(3):
        writer.add(None)
    for entry in writer.ledger:
        ITEM.fire(entry.life, Added())
    await writer.hand_over()
    last = writer.ledger[writer.ids[-1]]
    assert writer.ledger.place(last, "")
    writer.scribe.moved(last)
    await writer.hand_over()
    writer.check()
    assert writer.recalled().history()[0].id == last.item.id


def test_output_of_a_call_that_was_nobodys_is_not_there() -> None:
    """It said that the call was cancelled. Without the call no server takes it."""
    user = ItemChanged(item=SavedItem(id="1", role="user", text="Hello."), after="", handed_over=True)
    call = ItemChanged(item=SavedItem(id="2", kind="function_call", call_id="call", status="incomplete"), after="1")
    output = SavedItem(id="3", kind="function_call_output", call_id="call", output="It was cancelled.")
    changes = (user, call, ItemChanged(item=output, after="2", handed_over=True))
    ledger = ledger_of([Record(1, 0.0, 0.0, change) for change in changes], epoch=0.0)
    assert [item.id for item in ledger.history()] == ["1"]
    assert not ledger.unanswered


def test_call_without_an_id_takes_nothing_along() -> None:
    call = ItemChanged(item=SavedItem(id="1", kind="function_call"), after="")
    user = ItemChanged(item=SavedItem(id="2", role="user", text="Hello."), after="1")
    ledger = ledger_of([Record(1, 0.0, 0.0, change) for change in (call, user)], epoch=0.0)
    assert [item.id for item in ledger.history()] == ["2"]


@pytest.mark.anyio
async def test_only_what_changed_is_told() -> None:
    writer = Writer()
    for _ in range(3):
        writer.add(None)
    assert len(await writer.hand_over()) == 3
    for entry in writer.ledger:
        writer.scribe.touch(entry)
    assert not await writer.hand_over()
    writer.scribe.touch(writer.ledger["item-1"]).generated_ms = 20
    (change,) = await writer.hand_over()
    assert change == writer.changes[-1]
    assert writer.changes[1] != change


@pytest.mark.anyio
async def test_it_grows_with_what_changes_and_not_with_what_there_is() -> None:
    writer = Writer()
    sizes: list[int] = []
    for _ in range(100):
        writer.add(None)
        sizes.append(len(await writer.hand_over()))
    assert all(before == after == 1 for before, after in pairwise(sizes))
