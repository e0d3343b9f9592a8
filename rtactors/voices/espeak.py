"""eSpeak NG as a session's voice: robotic, free, offline, and at once."""

from collections.abc import AsyncIterator
from typing import Final

from anyio import to_thread

from rtactors import espeak
from rtactors.resample import resample

RATE: Final = 24_000


class EspeakVoice:
    """Needs the extra `speech`; raises ConfigurationError without it, or for a voice that there is not.

    `voice` is an eSpeak name such as `en-us`, `en` or, with a variant, `en-us+f3`; `words_a_minute` is its pace,
    `pitch` 0 to 99, `rate` what it gives, in Hz.
    """

    def __init__(self, voice: str = "en-us", *, words_a_minute: int = 165, pitch: int = 50, rate: int = RATE) -> None:
        espeak.check(voice, words_a_minute, pitch)
        self._settings = (voice, words_a_minute, pitch)
        self._rate = rate

    @property
    def rate(self) -> int:
        return self._rate

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        yield await to_thread.run_sync(self._synthesize, text, abandon_on_cancel=True)

    def _synthesize(self, text: str) -> bytes:
        sound = espeak.synthesize(text, *self._settings)
        return resample(sound.pcm, sound.rate, self._rate)
