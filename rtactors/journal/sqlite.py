"""A journal in a SQLite file: many sessions of many processes may share one.

The file is in WAL mode, and each append is a transaction: when it returns, the operating system has the records, so no
end of the process can take them back. With `power_safe` the disk has them, too.

It works in a thread of its own; the event loop never waits for the disk. What several sessions append while the disk
is busy goes into one transaction, so that many sessions cost little more than one.
"""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

import anyio
import anyio.to_thread

from rtactors.errors import ConfigurationError, JournalConflict, JournalDamaged, JournalFailed
from rtactors.journal.base import check_next

T = TypeVar("T")

_SCHEMA_VERSION = 1
_APPLICATION_ID = 0x72746163
"""Marks the file as a journal of ours; "rtac"."""
_BUSY_S = 5
"""How long another process may hold the file; its transactions take milliseconds."""
_PAUSE_S = 0.005
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class _Append:
    """What one session wants written."""

    def __init__(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        self.session_id = session_id
        self.first = first
        self.records = records
        self.failure: JournalFailed | None = None
        self.given_up = False


class SqliteJournal:
    """`async with SqliteJournal("conversations.db") as journal: ...`, on one event loop.

    A file that is not there is made, readable and writable for its owner alone (mode 0600): it holds what people said.
    With `power_safe` an append waits until the disk has it, a few ms. Without, it is some fifty times as quick, and a
    power cut (not the end of a process) may take back the last ones before it. The file stays sound in either case. It
    must be on a disk of this machine, not of the network.

    Entering raises ConfigurationError (no such folder, no permission, a database of something else) and
    JournalDamaged, also for a file that is no database at all.
    """

    def __init__(self, path: str | os.PathLike[str], *, power_safe: bool = True) -> None:
        self.path = Path(path).absolute()  # else SQLite reads a meaning into some names
        self._power_safe = power_safe
        self._connection: sqlite3.Connection | None = None
        self._turns = Lock()  # a thread that nobody waits for any more still has its turn
        self._limiter = anyio.CapacityLimiter(1)
        self._waiting: deque[_Append] = deque()

    async def __aenter__(self) -> Self:
        await self._in_thread(self._open)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._in_thread(self._close)

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        append = _Append(session_id, first, records)
        self._waiting.append(append)
        try:
            await self._in_thread(self._write)
        finally:
            append.given_up = True  # if it still waits: who goes on with its session would find it written later
        if append.failure:
            raise append.failure

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        query = "SELECT number, body FROM record WHERE session = ? ORDER BY number"
        return await self._in_thread(lambda: self._database.execute(query, (session_id,)).fetchall())

    async def sessions(self) -> Sequence[str]:
        rows = await self._in_thread(lambda: self._database.execute("SELECT DISTINCT session FROM record").fetchall())
        return [session_id for (session_id,) in rows]

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def in_turn() -> T:
            with self._turns, self._our_errors():
                return work()

        return await anyio.to_thread.run_sync(in_turn, abandon_on_cancel=True, limiter=self._limiter)

    # ------------------------------------------------------------------------------------------------ in the thread

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise JournalFailed(f"the journal {self.path} is not open: use it inside `async with`")
        return self._connection

    def _open(self) -> None:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # sqlite would let everybody read it
        except OSError as error:
            raise ConfigurationError(f"the journal {self.path} can't be opened or made: {error.strerror}") from error
        database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            with _transaction(database):
                self._prepare(database)
            _write_ahead(database)
            database.execute(f"PRAGMA synchronous = {'FULL' if self._power_safe else 'NORMAL'}")
            database.execute("PRAGMA fullfsync = ON")  # macOS: else its disks may still keep it to themselves
        except BaseException:
            database.close()
            raise
        self._connection = database

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Make the table, or see that it is ours."""
        found = tuple(database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if found == (_APPLICATION_ID, _SCHEMA_VERSION):
            return
        if found[0] == _APPLICATION_ID:
            raise ConfigurationError(
                f"the journal {self.path} has version {found[1]}, and this rtactors writes version {_SCHEMA_VERSION}: "
                "use a newer rtactors, or another file"
            )
        if database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise ConfigurationError(f"{self.path} is a database of something else: give the journal a file of its own")
        database.execute(
            "CREATE TABLE record (session TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, "
            "PRIMARY KEY (session, number))"
        )
        database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self) -> None:
        """All that waits by now. Whoever comes after us for a part of it finds it done."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        appends = [append for append in waiting if not append.given_up]
        if not appends:
            return
        try:
            with self._our_errors(), _transaction(self._database):
                for append in appends:
                    self._insert(append)
        except JournalFailed as failure:
            for append in appends:
                append.failure = append.failure or failure

    def _insert(self, append: _Append) -> None:
        last = "SELECT coalesce(max(number), 0) FROM record WHERE session = ?"
        try:
            check_next(
                append.session_id, append.first, self._database.execute(last, (append.session_id,)).fetchone()[0]
            )
        except JournalConflict as conflict:  # this one's alone
            append.failure = conflict
            return
        rows = ((append.session_id, number, body) for number, body in enumerate(append.records, append.first))
        self._database.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)

    @contextmanager
    def _our_errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _code(error) in _DAMAGED:
                raise JournalDamaged(
                    f"the journal {self.path} is damaged, or never was one ({error}). If the path is right, keep a "
                    "copy of the file and of those next to it (-wal, -shm); the command "
                    f"`sqlite3 {self.path} .recover` writes what can be saved as SQL"
                ) from error
            raise JournalFailed(
                f"the journal {self.path} can't be used ({error}): see that its disk has room and can be written, and "
                "that no other program holds the file"
            ) from error


def _write_ahead(database: sqlite3.Connection) -> None:
    """For this alone SQLite does not wait for those who open the file at the same moment."""
    patience = time.monotonic() + _BUSY_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _code(error: sqlite3.Error) -> int:
    """SQLite's code, without what it says beyond the first byte; 0 for an error that Python itself raised."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk has ended it already
            database.execute("ROLLBACK")
        raise
