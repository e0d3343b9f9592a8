"""What can be saved of a damaged journal."""

from rtactors.journal.base import Journal
from rtactors.journal.recall import examine
from rtactors.journal.records import encode


async def salvage(journal: Journal, session_id: str, into: str) -> int:
    """Copy what is whole of a session to a new session id, which can be resumed; how many records are lost.

    The damaged session stays as it is. Raises JournalConflict if there is a session `into` already, JournalFailed.
    """
    whole, damaged = examine(session_id, await journal.read(session_id))
    await journal.append(into, 1, [encode(into, number, record) for number, record in enumerate(whole, 1)])
    return len(damaged)
