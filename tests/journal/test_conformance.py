"""Both journals keep the contract; SQLite does on real threads and a real disk."""

from pathlib import Path

import pytest

from rtactors.journal import MemoryJournal, SqliteJournal
from rtactors.testing.journals import JOURNAL_CHECKS, JournalCheck

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("check", JOURNAL_CHECKS)]


async def test_memory(check: JournalCheck) -> None:
    await check(MemoryJournal())


async def test_a_slow_one(check: JournalCheck) -> None:
    await check(MemoryJournal(delay_s=1))


@pytest.mark.disk
@pytest.mark.parametrize("power_safe", [True, False])
async def test_sqlite(check: JournalCheck, tmp_path: Path, *, power_safe: bool) -> None:
    async with SqliteJournal(tmp_path / "journal.db", power_safe=power_safe) as journal:
        await check(journal)
