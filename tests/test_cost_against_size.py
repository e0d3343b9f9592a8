"""What a change costs is counted, never timed: the lines of ours that run until all of it is settled.

A scan, a copy or a comparison that goes through the whole conversation shows as lines that grow with it.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import rtactors
import statecharts
from benchmarks.holding_server import HoldingServer
from benchmarks.measures.growing import CHANGES, EVERYTHING, Talk, history, set_history, talk
from rtactors.journal import MemoryJournal
from rtactors.journal.recall import ledger_of, recall
from rtactors.limits import Bounds
from rtactors.session import Session
from rtactors.testing.clock import run_virtual, settled

FEW, MANY = 10, 10_000
OURS = tuple(str(Path(package.__file__ or "").parent) for package in (rtactors, statecharts))
NOT_OURS = ("testing", "loopback", "transports")
"""What stands in for the world outside."""


class Steps:
    """How many lines of ours have run."""

    count = 0

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - as `sys.settrace` wants it
        if event == "call" and not _is_ours(frame.f_code.co_filename):
            return None
        self.count += event == "line"
        return self.trace


def _is_ours(file: str) -> bool:
    return file.startswith(OURS) and not any(f"/rtactors/{folder}/" in file for folder in NOT_OURS)


@contextmanager
def counted() -> Generator[Steps]:
    steps, before = Steps(), sys.gettrace()
    sys.settrace(steps.trace)
    try:
        yield steps
    finally:
        sys.settrace(before)


async def cost(conversation: Talk, change: Any) -> int:  # noqa: ANN401 - a Change
    """Of doing it once more: the first time has things to prepare."""
    await change(conversation)
    await conversation.session.quiet()
    with counted() as steps:
        await change(conversation)
        await conversation.session.quiet()
    return steps.count


# ------------------------------------------------------------------------------------------------- one change


@pytest.fixture(
    scope="module", params=["as it is", "journalled", "after a reconnect", "after one that told the newest"]
)
def costs(request: pytest.FixtureRequest) -> dict[int, dict[str, int]]:
    """Of each change, in a conversation of few items, and of many."""
    journal = {"journal": MemoryJournal()} if request.param == "journalled" else {}
    bounds = Bounds() if request.param == "after one that told the newest" else Bounds(retold=EVERYTHING)

    async def of_each(items: int) -> dict[str, int]:
        async with talk(items, bounds=bounds, **journal) as conversation:
            if "reconnect" in request.param or "newest" in request.param:
                await conversation.reconnect()
            return {name: await cost(conversation, change) for name, change in CHANGES.items()}

    return {items: run_virtual(of_each, items) for items in (FEW, MANY)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_costs_the_same_in_a_long_conversation(costs: dict[int, dict[str, int]], change: str) -> None:
    assert 0 < costs[MANY][change] <= costs[FEW][change]
