"""A flag: an event that takes next to nothing until somebody waits for it. anyio's takes 900 bytes on asyncio, and a
session, with each of its replies, has a handful that are waited for at most once.
"""

import anyio
import anyio.lowlevel


class Flag:
    """Is set once, for good; as `anyio.Event` otherwise."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: anyio.Event | None = None  # there only while somebody waits

    def set(self) -> None:
        self._is_set = True
        if self._event:
            self._event.set()
            self._event = None

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        if self._is_set:
            await anyio.lowlevel.checkpoint()
            return
        self._event = self._event or anyio.Event()
        await self._event.wait()
