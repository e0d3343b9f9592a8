"""A voice for tests: a tone for each sentence, as long as that."""

from collections.abc import AsyncIterator, Awaitable, Callable

from rtactors.loopback.voice import ToneVoice


async def _at_once(_text: str) -> None:
    pass


class Tones:
    """Speaks as the embedded server's `ToneVoice` does, in pieces of `piece_ms`.

    `before` is awaited before each sentence: a test may hold it up there, or raise what a voice fails with. What it
    gave is in `spoken`, by text.
    """

    def __init__(
        self,
        ms_per_character: int = 60,
        *,
        piece_ms: int = 200,
        rate: int = 24_000,
        before: Callable[[str], Awaitable[None]] = _at_once,
    ) -> None:
        self.spoken: dict[str, bytes] = {}
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
            piece = pcm[start : start + self._piece]
            self.spoken[text] = self.spoken.get(text, b"")[:start] + piece
            yield piece
