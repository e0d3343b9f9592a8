"""What a voice is to a session."""

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable


@runtime_checkable
class Voice(Protocol):
    """Speaks text. A session asks it for one sentence after the other, as they come.

    An async generator function is all it takes:

        async def speak(self, text: str) -> AsyncIterator[bytes]:
            async for piece in my_service.stream(text):
                yield piece

    It is cancelled when nobody wants to hear the rest. An exception, or `Deadlines.voice` seconds without a piece: then
    what is left of that message is shown instead. What blocks belongs into a thread.
    """

    @property
    def rate(self) -> int:
        """Hz of what it gives: that of the session's sink."""
        ...

    def speak(self, text: str) -> AsyncIterator[bytes]:
        """`text` as mono PCM16 little-endian, in pieces of any size. None at all: there is nothing to hear in it."""
        ...
