"""Voices for tests: one that is a tone for each sentence, as long as that; and what any other one gave."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from rtactors.loopback.voice import ToneVoice
from rtactors.voices.base import Voice


async def _at_once(_text: str) -> None:
    pass


class Tones:
    """Speaks as the embedded server's `ToneVoice` does, in pieces of `piece_ms`.

    `before` is awaited before each sentence: a test may hold it up there, or raise what a voice fails with.
    """

    def __init__(
        self,
        ms_per_character: int = 60,
        *,
        piece_ms: int = 200,
        rate: int = 24_000,
        before: Callable[[str], Awaitable[None]] = _at_once,
    ) -> None:
        self._tones = ToneVoice(ms_per_character)
        self._piece = piece_ms * rate // 1000 * 2
        self._rate = rate
        self._before = before

    @property
    def rate(self) -> int:
        return self._rate

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        await self._before(text)
        pcm = (await self._tones.speak(text)).pcm
        for start in range(0, len(pcm), self._piece):
            yield pcm[start : start + self._piece]


class HeardVoice:
    """Lets another voice speak, and keeps what it gave in `spoken`, by text."""

    def __init__(self, voice: Voice) -> None:
        self.spoken: dict[str, bytes] = {}
        self._voice = voice

    @property
    def rate(self) -> int:
        return self._voice.rate

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        self.spoken[text] = b""
        pieces = self._voice.speak(text)
        try:
            async for piece in pieces:
                self.spoken[text] += piece
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator):  # else it would be closed some time, and not here
                await pieces.aclose()
