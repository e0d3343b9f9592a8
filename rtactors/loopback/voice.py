"""Voices: text to speech, as mono PCM16 at 24 kHz with the time of each word."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Protocol
from zlib import crc32

from anyio import to_thread
from msgspec import Struct

from rtactors import espeak
from rtactors.loopback.conversation import FRAMES_PER_MS, RATE
from rtactors.resample import resample


class Word(Struct, frozen=True):
    text: str
    """The word with the white space before it."""
    at_ms: int
    """When it begins, in ms of the speech."""


class Speech(Struct, frozen=True):
    """Something said. The words' texts joined are the text, and their times never go back."""

    pcm: bytes
    words: tuple[Word, ...]


class Voice(Protocol):
    async def speak(self, text: str) -> Speech:
        """The same text gives the same bytes."""
        ...


class ToneVoice:
    """A tone for each text, as long as the text: for tests, needs nothing.

    A text's pitch is its own, and its period a prime number of frames: no piece of usual length can be lost or
    played twice without a jump.
    """

    _PERIODS = (53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127)

    def __init__(self, ms_per_char: int = 60) -> None:
        self._ms_per_char = ms_per_char

    async def speak(self, text: str) -> Speech:
        frames = len(text) * self._ms_per_char * FRAMES_PER_MS
        period = self._PERIODS[crc32(text.encode()) % len(self._PERIODS)]
        half = period // 2
        triangle = [16_000 * (2 * abs(frame - half) - half) // half for frame in range(period)]
        cycle = b"".join(sample.to_bytes(2, "little", signed=True) for sample in triangle)
        pcm = (cycle * (frames // period + 1))[: 2 * frames]
        return Speech(pcm, tuple(Word(word, start * self._ms_per_char) for start, word in _words(text)))


class EspeakVoice:
    """eSpeak NG, see `rtactors.espeak`. Raises ConfigurationError without it.

    `voice` is an eSpeak name such as `en-us`, `en` or, with a variant, `en-us+f3`; `words_a_minute` is its
    pace, `pitch` 0 to 99. What was said once is kept.
    """

    def __init__(self, voice: str = "en-us", *, words_a_minute: int = 165, pitch: int = 50) -> None:
        espeak.check(voice, words_a_minute, pitch)
        self._settings = (voice, words_a_minute, pitch)

    async def speak(self, text: str) -> Speech:
        return await to_thread.run_sync(_synthesize, text, *self._settings)


@lru_cache(maxsize=256)
def _synthesize(text: str, voice: str, words_a_minute: int, pitch: int) -> Speech:
    sound = espeak.synthesize(text, voice, words_a_minute, pitch)
    return Speech(resample(sound.pcm, sound.rate, RATE), _timed(text, sound.marks))


def _timed(text: str, marks: list[tuple[int, int]]) -> tuple[Word, ...]:
    """Gives each word the time of the first mark (position in the text, ms) in it, or of the word before it."""
    words = _words(text)
    timed: list[Word] = []
    at_ms = 0
    for (start, word), (end, _) in pairwise([*words, (len(text), "")]):
        at_ms = max(at_ms, next((ms for position, ms in marks if start <= position < end), at_ms))
        timed.append(Word(word, at_ms))
    return tuple(timed)


def _words(text: str) -> list[tuple[int, str]]:
    """Each word with the white space before it (the last one also with what is after it), and where it starts."""
    return [(match.start(), match.group()) for match in re.finditer(r"\s*\S+(?:\s+$)?|^\s+$", text)]
