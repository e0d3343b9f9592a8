"""The journal in a SQLite file: who may read it, who may share it, and what is left when a disk is not what it was."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rtactors import ConfigurationError, JournalConflict, JournalDamaged, JournalFailed
from rtactors.journal import SqliteJournal, salvage, sqlite
from rtactors.journal.recall import recall
from rtactors.journal.records import ItemChanged, Opened, Record, SavedItem, encode

pytestmark = [pytest.mark.anyio, pytest.mark.disk]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def record(number: int, session_id: str = "s") -> bytes:
    change = ItemChanged(item=SavedItem(id=f"item-{number}", role="user", text=f"text {number} " * 20), after="")
    return encode(session_id, number, Record(1, 0.0, 0.0, change if number > 1 else Opened()))


def records(first: int, count: int, session_id: str = "s") -> list[bytes]:
    return [record(number, session_id) for number in range(first, first + count)]


def database(journal: SqliteJournal) -> sqlite3.Connection:
    return journal._database  # pyright: ignore[reportPrivateUsage] - no app has a use for it


async def taken_up(journal: SqliteJournal) -> None:
    """Until the thread is about to write what was appended."""
    while journal._waiting:  # pyright: ignore[reportPrivateUsage] - the same
        await checkpoint()


@contextmanager
def held(path: Path) -> Generator[None]:
    """Another process is in the midst of writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# ---------------------------------------------------------------------------------------------------------- the file


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_only_its_owner_may_read_what_people_said(path: Path) -> None:
    before = os.umask(0)
    try:
        async with SqliteJournal(path) as journal:
            await journal.append("s", 1, records(1, 1))
            modes = {name: stat.S_IMODE((path.parent / name).stat().st_mode) for name in names(path.parent)}
    finally:
        os.umask(before)
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


async def test_it_outlives_its_object(path: Path) -> None:
    for first in (1, 4, 7):
        async with SqliteJournal(path) as journal:
            await journal.append("s", first, records(first, 3))
    async with SqliteJournal(path) as journal:
        assert await journal.read("s") == list(enumerate(records(1, 9), 1))
    assert names(path.parent) == ["journal.db"]


@pytest.mark.parametrize("name", [":memory:", "what?mode=memory", "per%20cent #1.db"])
async def test_a_name_is_nothing_but_a_name(tmp_path: Path, name: str) -> None:
    async with SqliteJournal(tmp_path / name) as journal:
        await journal.append("s", 1, records(1, 1))
    assert names(tmp_path) == [name]
    async with SqliteJournal(tmp_path / name) as journal:
        assert await journal.sessions() == ["s"]


async def test_a_name_without_a_folder_is_in_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SqliteJournal(":memory:") as journal:
        await journal.append("s", 1, records(1, 1))
    assert names(tmp_path) == [":memory:"]
    async with SqliteJournal(tmp_path / ":memory:") as journal:
        assert await journal.sessions() == ["s"]


async def test_where_it_can_not_be(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "journal.db"):
        with pytest.raises(ConfigurationError, match="can't be opened or made"):
            async with SqliteJournal(path):
                pytest.fail("there is no such file")


async def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE record (price REAL)")
        before = list(other.iterdump())
    with pytest.raises(ConfigurationError, match="something else"):
        async with SqliteJournal(path):
            pytest.fail("it is not ours")
    with closing(sqlite3.connect(path)) as other:
        assert list(other.iterdump()) == before
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_a_journal_of_a_newer_version_is_left_alone(path: Path) -> None:
    async with SqliteJournal(path):
        pass
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 2")
    with pytest.raises(ConfigurationError, match=r"version 2.*newer rtactors"):
        async with SqliteJournal(path):
            pytest.fail("nobody knows what is in it")


async def test_it_is_used_while_it_is_open(path: Path) -> None:
    journal = SqliteJournal(path)
    with pytest.raises(JournalFailed, match="async with"):
        await journal.append("s", 1, records(1, 1))
    async with journal:
        await journal.append("s", 1, records(1, 1))
    with pytest.raises(JournalFailed, match="async with"):
        await journal.read("s")


# ---------------------------------------------------------------------------------------------------- several writers


async def test_many_may_make_it_at_once(path: Path) -> None:
    async def write(id: str) -> None:
        async with SqliteJournal(path) as journal:
            for number in range(1, 6):
                await journal.append(id, number, [record(number, id)])

    async with anyio.create_task_group() as tasks:
        for writer in range(8):
            tasks.start_soon(write, f"s{writer}")
    async with SqliteJournal(path) as journal:
        assert len(await journal.sessions()) == 8
        for id in await journal.sessions():
            assert await journal.read(id) == list(enumerate(records(1, 5, id), 1))


async def test_another_process_that_writes_the_same_session_is_found(path: Path) -> None:
    script = (
        "import anyio, sys\n"
        "from rtactors.journal import SqliteJournal\n"
        "async def main():\n"
        "    async with SqliteJournal(sys.argv[1]) as journal:\n"
        "        await journal.append('s', 2, [b'theirs'])\n"
        "anyio.run(main)\n"
    )
    async with SqliteJournal(path) as journal:
        await journal.append("s", 1, [b"ours"])
        await anyio.to_thread.run_sync(lambda: subprocess.run([sys.executable, "-c", script, str(path)], check=True))
        with pytest.raises(JournalConflict, match="another process"):
            await journal.append("s", 2, [b"ours", b"too"])
        assert await journal.read("s") == [(1, b"ours"), (2, b"theirs")]


async def test_what_many_sessions_write_goes_to_the_disk_together(path: Path) -> None:
    commits: list[str] = []
    async with SqliteJournal(path) as journal:
        database(journal).set_trace_callback(commits.append)
        async with anyio.create_task_group() as tasks:
            with held(path):  # the first of them waits for the other process, the others for the first
                for writer in range(50):
                    tasks.start_soon(journal.append, f"s{writer}", 1, [b"body"])
                await anyio.wait_all_tasks_blocked()
        assert len(await journal.sessions()) == 50
    assert commits.count("COMMIT") <= 2


async def test_a_file_that_stays_locked_is_a_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.01)
    async with SqliteJournal(path) as journal:
        with held(path), pytest.raises(JournalFailed, match="locked"):
            await journal.append("s", 1, records(1, 1))
        await journal.append("s", 1, records(1, 1))


async def test_nobody_need_wait_for_a_disk_that_hangs(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        with held(path):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.append, "s", 1, records(1, 1))
                await anyio.wait_all_tasks_blocked()
                await taken_up(journal)
                tasks.cancel_scope.cancel()
        # It was given up, not taken back: a thread can't be.
        with pytest.raises(JournalConflict):
            await journal.append("s", 1, records(1, 1))
        assert await journal.read("s") == [(1, record(1))]


async def test_what_was_given_up_before_its_turn_is_not_written_later(path: Path) -> None:
    """Else none of the sessions that a hanging disk has ended could be resumed at once."""
    async with SqliteJournal(path) as journal:
        for session_id in "abc":
            await journal.append(session_id, 1, records(1, 1, session_id))
        with held(path):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.append, "a", 2, records(2, 1, "a"))
                await anyio.wait_all_tasks_blocked()
                await taken_up(journal)
                tasks.start_soon(journal.append, "b", 2, records(2, 1, "b"))
                tasks.start_soon(journal.append, "c", 2, records(2, 1, "c"))
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
        for session_id in "bc":
            assert [number for number, _ in await journal.read(session_id)] == [1]
        for session_id in "bc":
            await journal.append(session_id, 2, records(2, 1, session_id))


# --------------------------------------------------------------------------------------------------------- bad disks


async def test_a_full_disk_takes_all_or_nothing(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        await journal.append("s", 1, records(1, 3))
        limit = "PRAGMA max_page_count = {}".format
        pages = database(journal).execute("PRAGMA page_count").fetchone()[0]
        database(journal).execute(limit(pages + 5))
        with pytest.raises(JournalFailed, match="full"):
            await journal.append("s", 4, records(4, 1000))
        assert await journal.read("s") == list(enumerate(records(1, 3), 1))
        database(journal).execute(limit(1_000_000))
        await journal.append("s", 4, records(4, 1000))
        assert await journal.read("s") == list(enumerate(records(1, 1003), 1))


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_is_left_of_the_log_is_a_conversation(path: Path, tmp_path: Path, seed: int) -> None:
    """A power cut may leave any part of what was written last; each transaction is there, or it isn't."""
    torn = tmp_path / "torn.db"
    async with SqliteJournal(path) as journal:
        for first in range(1, 20, 3):
            await journal.append("s", first, records(first, 3))
        shutil.copy(path, torn)
        log = path.with_name("journal.db-wal").read_bytes()
    cut = len(log) * seed // 40
    never_written = bytes(512) if seed % 2 else b""  # a sector, or nothing
    path.with_name("torn.db-wal").write_bytes(log[:cut] + never_written)
    async with SqliteJournal(torn) as journal:
        past = await recall(journal, "s")
        assert not past.torn
        assert (past.next - 1) % 3 == 0
        await journal.append("s", past.next, records(past.next, 1))


def damage(path: Path, place: int, size: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[place : place + size] = (byte ^ 0xFF for byte in content[place : place + size])
    path.write_bytes(content)


def damage_record(path: Path, body: bytes) -> None:
    """Change a byte in the midst of it."""
    damage(path, path.read_bytes().index(body) + len(body) // 2)


@pytest.fixture
async def written(path: Path) -> Path:
    async with SqliteJournal(path) as journal:
        await journal.append("s", 1, records(1, 9))
    return path


async def test_a_torn_last_record_is_found(written: Path) -> None:
    damage_record(written, record(9))
    async with SqliteJournal(written) as journal:
        past = await recall(journal, "s")
        assert (past.torn, past.next, len(past.records)) == ((9,), 10, 8)
        again = [encode("s", 10, Record(1, 0.0, 0.0, Opened((9,)))), record(11)]
        await journal.append("s", 10, again)
        past = await recall(journal, "s")
        assert (past.torn, past.next, len(past.records)) == ((), 12, 10)


async def test_a_damaged_record_is_found_and_the_others_are_saved(written: Path) -> None:
    damage_record(written, record(4))
    async with SqliteJournal(written) as journal:
        with pytest.raises(JournalDamaged, match=r"1 of its 9 records.*number 4.*salvage"):
            await recall(journal, "s")
        assert await salvage(journal, "s", "rest") == 1
        past = await recall(journal, "rest")
        assert (past.torn, len(past.records)) == ((), 8)
        with pytest.raises(JournalConflict):
            await salvage(journal, "s", "rest")


@pytest.mark.parametrize("place", [0, 100, 4096])
async def test_a_damaged_file_says_what_to_do(written: Path, place: int) -> None:
    damage(written, place, 12)
    with pytest.raises(JournalDamaged, match=r"sqlite3 .*journal\.db \.recover"):
        async with SqliteJournal(written) as journal:
            await journal.append("s", 10, records(10, 1))
