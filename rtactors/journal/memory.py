"""A journal that lasts as long as its object: for tests, in virtual time too, with faults to order."""

from collections.abc import Sequence

import anyio
from anyio.lowlevel import checkpoint

from rtactors.errors import JournalFailed
from rtactors.journal.base import check_next


class MemoryJournal:
    """`records` may be read, and damaged, at will. Each append takes `delay_s` seconds."""

    def __init__(self, *, delay_s: float = 0) -> None:
        self.records: dict[str, list[bytes]] = {}
        """Of each session, the one with number 1 first."""
        self.delay_s = delay_s
        self.appends: list[int] = []
        """How many records each append had."""
        self.failure: JournalFailed | None = None
        """What appends raise from now on, as of a full disk."""
        self._stalled: anyio.Event | None = None

    def stall(self) -> None:
        """Let appends hang until `go_on`."""
        self._stalled = anyio.Event()

    def go_on(self) -> None:
        if self._stalled:
            self._stalled.set()
            self._stalled = None

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        await anyio.sleep(self.delay_s)
        if self._stalled:
            await self._stalled.wait()
        if self.failure:
            raise self.failure
        check_next(session_id, first, len(self.records.get(session_id, ())))
        self.records.setdefault(session_id, []).extend(records)
        self.appends.append(len(records))

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        await checkpoint()
        return list(enumerate(self.records.get(session_id, ()), 1))

    async def sessions(self) -> Sequence[str]:
        await checkpoint()
        return list(self.records)
