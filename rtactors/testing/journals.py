"""Does a journal keep its contract (`rtactors.journal.base`)? Checks for any journal.

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", JOURNAL_CHECKS)
    async def test_my_journal(check: JournalCheck) -> None:
        async with MyJournal() as journal:
            await check(journal)

Each check needs a journal that is empty, and raises AssertionError with a sentence. What no check from inside can tell
is whether records outlive the process: for that, end one (by SIGKILL) and read.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio

from rtactors.errors import JournalConflict
from rtactors.journal.base import Journal

JournalCheck: TypeAlias = Callable[[Journal], Awaitable[None]]

JOURNAL_CHECKS: list[JournalCheck] = []
"""All checks, for `pytest.mark.parametrize`."""


def _check(check: JournalCheck) -> JournalCheck:
    JOURNAL_CHECKS.append(check)
    return check


async def _holds(journal: Journal, session_id: str, *bodies: bytes) -> None:
    expected = list(enumerate(bodies, 1))
    held = [(number, bytes(body)) for number, body in await journal.read(session_id)]
    assert held == expected, f"the journal holds {held} of session {session_id!r}, not {expected}"


@_check
async def is_a_journal(journal: Journal) -> None:
    assert isinstance(journal, Journal), "append, read and sessions are what a journal has"


@_check
async def what_was_appended_is_read_in_order(journal: Journal) -> None:
    await journal.append("s", 1, [b"one", b"two"])
    await journal.append("s", 3, [b"three"])
    await _holds(journal, "s", b"one", b"two", b"three")


@_check
async def any_bytes_and_any_id_will_do(journal: Journal) -> None:
    everything = bytes(range(256))
    ids = ["s", "S", "s ", "'; DROP TABLE record; --", "\N{HIRAGANA LETTER A}", "a/../b", "x" * 1000]
    for id in ids:
        await journal.append(id, 1, [id.encode(), b"", everything * 1000])
    for id in ids:
        await _holds(journal, id, id.encode(), b"", everything * 1000)
    assert sorted(await journal.sessions()) == sorted(ids)


@_check
async def what_nobody_wrote_is_empty(journal: Journal) -> None:
    await _holds(journal, "s")
    assert not await journal.sessions()


@_check
async def a_number_is_given_once(journal: Journal) -> None:
    await journal.append("s", 1, [b"one", b"two"])
    for first in (1, 2, 4):
        try:
            await journal.append("s", first, [b"mine", b"too", b"all"])
        except JournalConflict:
            pass
        else:
            raise AssertionError(f"records from number {first} on don't fit behind number 2: append must refuse them")
        await _holds(journal, "s", b"one", b"two")
    await journal.append("s", 3, [b"three"])
    await _holds(journal, "s", b"one", b"two", b"three")


@_check
async def sessions_are_written_side_by_side(journal: Journal) -> None:
    ids = [f"s{number}" for number in range(20)]

    async def write(id: str) -> None:
        for number in range(1, 11):
            await journal.append(id, number, [f"{id} {number}".encode()])

    async with anyio.create_task_group() as tasks:
        for id in ids:
            tasks.start_soon(write, id)
    for id in ids:
        await _holds(journal, id, *(f"{id} {number}".encode() for number in range(1, 11)))


@_check
async def a_conflict_is_that_of_one_session(journal: Journal) -> None:
    await journal.append("taken", 1, [b"theirs"])
    refused: list[str] = []

    async def write(id: str) -> None:
        try:
            await journal.append(id, 1, [b"mine"])
        except JournalConflict:
            refused.append(id)

    async with anyio.create_task_group() as tasks:
        for id in ("before", "taken", "behind"):
            tasks.start_soon(write, id)
    assert refused == ["taken"], f"the sessions {refused} were refused, not just the one that is taken"
    await _holds(journal, "taken", b"theirs")
    for id in ("before", "behind"):
        await _holds(journal, id, b"mine")
