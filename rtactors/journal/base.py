"""The journal protocol: a store of numbered records, a row of them for each session, to which one only appends.

A journal knows nothing of conversations. What a record says, and whether it is still what was written, is the business
of `rtactors.journal.records`.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rtactors.errors import JournalConflict


@runtime_checkable
class Journal(Protocol):
    """One event loop uses it, for as many sessions as it likes; other processes may use the same store."""

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        """Store records with the numbers `first`, `first + 1`, ...; they are durable when this returns.

        All of them or none. Raises JournalConflict if `first` isn't the number behind the session's last record (which
        is 1 for a new session): somebody else has written meanwhile. Raises JournalFailed if it can't. When it is
        cancelled, they may be stored or not.
        """
        ...

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        """A session's records with their numbers, in order; none for a session that it doesn't know.

        Raises JournalFailed, JournalDamaged.
        """
        ...

    async def sessions(self) -> Sequence[str]:
        """The ids of all sessions. Raises JournalFailed, JournalDamaged."""
        ...


def check_next(session_id: str, first: int, last: int) -> None:
    """For journals: whether records from number `first` on fit behind the `last` one. Raises JournalConflict."""
    if first != last + 1:
        raise JournalConflict(
            f"session {session_id!r} has {last} records in its journal, so the next one can't be number {first}: "
            "another process, or another session object, writes the same session. Only one can, the one that resumed "
            "it last"
        )
