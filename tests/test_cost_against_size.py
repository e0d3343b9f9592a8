"""What a change costs is counted, never timed: the lines of ours that run until all of it is settled.

What goes through the whole conversation, or through all messages of a response, shows as lines that grow with it. They
are counted in one loop and in virtual time: the same happens in each run, to the line.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import rtactors
import statecharts
from benchmarks.growing import CHANGES, EVERYTHING, Change, Options, Talk, set_history, talk
from benchmarks.holding_server import HoldingServer
from rtactors.journal import MemoryJournal
from rtactors.journal.recall import ledger_of, recall
from rtactors.limits import Bounds
from rtactors.testing.clock import run_virtual, settled

FEW, MANY = 10, 2000
"""Lines are counted exactly, so a walk through 2000 items shows as surely as one through more; it is more than what a
new server is told of (`Bounds.retold`).
"""
OURS = tuple(str(Path(package.__file__ or "").parent) for package in (rtactors, statecharts))
OUTSIDE = ("testing", "loopback", "transports")
"""What stands in for the world."""


class Steps:
    """How many lines of ours have run."""

    count = 0

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "call" and not _is_ours(frame.f_code.co_filename):
            return None
        self.count += event == "line"
        return self.trace


def _is_ours(file: str) -> bool:
    return file.startswith(OURS) and not any(f"/rtactors/{folder}/" in file for folder in OUTSIDE)


@contextmanager
def counted() -> Generator[Steps]:
    steps, before = Steps(), sys.gettrace()
    sys.settrace(steps.trace)
    try:
        yield steps
    finally:
        sys.settrace(before)


async def cost(conversation: Talk, change: Change) -> int:
    """Of doing it once more: the first time has things to prepare."""
    await change(conversation)
    await settled()
    with counted() as steps:
        await change(conversation)
        await settled()
    return steps.count


# ----------------------------------------------------------------------------------------------- one change of many


SITUATIONS = ("as it is", "journalled", "on a second connection", "on one that was told the newest")


# The tests of one situation are for one process, so that it is counted once.
@pytest.fixture(scope="module", params=[pytest.param(each, marks=pytest.mark.xdist_group(each)) for each in SITUATIONS])
def costs(request: pytest.FixtureRequest) -> dict[int, dict[str, int]]:
    """Of each change, in a conversation of few items, and of many."""
    options = Options(bounds=Bounds(retold=EVERYTHING))
    if request.param == "journalled":
        options["journal"] = MemoryJournal()
    if request.param == "on one that was told the newest":
        options["bounds"] = Bounds()

    async def of_each(items: int) -> dict[str, int]:
        async with talk(items, **options) as conversation:
            if request.param.startswith("on "):
                await conversation.reconnect()
            return {name: await cost(conversation, change) for name, change in CHANGES.items()}

    return {items: run_virtual(of_each, items) for items in (FEW, MANY)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_costs_no_more_in_a_long_conversation(costs: dict[int, dict[str, int]], change: str) -> None:
    assert 0 < costs[MANY][change] <= costs[FEW][change]


def test_behind_what_was_removed_it_costs_no_more() -> None:
    """Nobody looks at each of those that are gone."""

    async def behind(removed: int) -> int:
        async with talk(FEW + removed) as conversation:
            gone = [f"old_{number}" for number in range(removed)]
            for item_id in gone:
                await conversation.session.remove(item_id)
            await settled()
            return await cost(conversation, lambda talk: talk.session.add("One more.", after=gone[-1]))

    assert run_virtual(behind, 1000) == run_virtual(behind, 10)


# ------------------------------------------------------------------------------------------ what grows with it, and how


def per_item(costs: dict[int, int]) -> list[float]:
    """Between each size and the next."""
    sizes = sorted(costs)
    return [(costs[to] - costs[size]) / (to - size) for size, to in pairwise(sizes)]


def test_a_whole_history_is_compared_item_by_item_and_the_difference_told() -> None:
    async def of(items: int) -> int:
        async with talk(items) as conversation:
            before = len(conversation.server.received)
            lines = await cost(conversation, set_history)
            told = conversation.server.received[before:]
            assert told == ["conversation.item.delete", "conversation.item.create"] * 2
            return lines

    few, many = per_item({items: run_virtual(of, items) for items in (10, 100, 500)})
    assert many == pytest.approx(few, rel=0.01)


def test_a_new_connection_is_told_of_each_item_once() -> None:
    async def of(items: int) -> int:
        async with talk(items) as conversation:
            lines = await cost(conversation, Talk.reconnect)
            assert len(conversation.server.held) == items
            return lines

    few, many = per_item({items: run_virtual(of, items) for items in (10, 100, 500)})
    assert many == pytest.approx(few, rel=0.01)


def test_a_new_connection_is_told_of_all_items_without_an_answer() -> None:
    """There is not a round trip for each."""

    async def told() -> None:
        async with talk(1000) as conversation:
            conversation.server.silent = True
            await conversation.reconnect()
            assert len(conversation.server.held) == 1000
            await conversation.server.answer_late()

    run_virtual(told)


def test_a_reply_that_waits_for_a_new_connection_does_not_look_at_all_items_each_time() -> None:
    async def ask_while_it_is_told(conversation: Talk) -> None:
        conversation.server.silent = True
        await conversation.reconnect()
        reply = await conversation.session.generate_reply()
        await settled()
        await conversation.server.answer_late()
        await conversation.sink.play(conversation.server.audio_ms)
        await reply.done()

    async def of(items: int) -> int:
        async with talk(items) as conversation:
            return await cost(conversation, ask_while_it_is_told)

    few, many = per_item({items: run_virtual(of, items) for items in (10, 100, 500)})
    assert many == pytest.approx(few, rel=0.01)


def test_what_a_journal_holds_is_read_item_by_item() -> None:
    async def of(items: int) -> int:
        journal = MemoryJournal()
        async with talk(items, journal=journal) as conversation:
            id = conversation.session.id
        with counted() as steps:
            past = await recall(journal, id)
            ledger = ledger_of(past.records, epoch=0)
        assert (len(ledger), past.last_id) == (items, 0)
        return steps.count

    few, many = per_item({items: run_virtual(of, items) for items in (10, 100, 500)})
    assert many == pytest.approx(few, rel=0.01)


# ------------------------------------------------------------------------------------------ one response that has much


def messages(number: int) -> HoldingServer:
    return HoldingServer(messages=number)


def calls(number: int) -> HoldingServer:
    return HoldingServer(messages=0, calls=number)


async def behind_another(conversation: Talk) -> None:
    """While a response before it is still to be heard."""
    server = conversation.server
    number, server.calls, server.messages = server.calls, 0, 1
    await conversation.session.ask("Go on.")
    await settled()
    server.calls, server.messages = number, 0
    await conversation.session.ask("And then?")
    await settled()


async def in_turn(conversation: Talk) -> None:
    await behind_another(conversation)
    await conversation.sink.play(100)


async def never(conversation: Talk) -> None:
    await behind_another(conversation)
    await conversation.session.interrupt()


RESPONSES: dict[str, tuple[Callable[[int], HoldingServer], Change]] = {
    "messages, heard": (messages, Talk.respond),
    "messages, skipped": (messages, Talk.interrupted),
    "calls, answered": (calls, Talk.respond),
    "calls that wait for their turn": (calls, in_turn),
    "calls that are cancelled": (calls, never),
}


@pytest.mark.parametrize("what", RESPONSES)
def test_each_one_of_a_response_costs_the_same_however_many_it_has(what: str) -> None:
    has, change = RESPONSES[what]

    async def of(number: int) -> int:
        async with talk(FEW, has(number)) as conversation:
            return await cost(conversation, change)

    few, many = per_item({number: run_virtual(of, number) for number in (10, 50, 100)})
    assert many == pytest.approx(few, rel=0.02)
