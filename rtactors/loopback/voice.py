"""Voices: text to speech, as mono PCM16 at 24 kHz with the time of each word."""

import ctypes
import re
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import Any, Protocol
from zlib import crc32

from anyio import to_thread
from msgspec import Struct

from rtactors.errors import ConfigurationError
from rtactors.loopback.conversation import FRAMES_PER_MS, RATE
from rtactors.loopback.resample import resample


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
    """eSpeak NG, offline and fast, from the package `espeakng-loader`. Raises ConfigurationError without it.

    `voice` is an eSpeak name such as `en-us`, `en` or, with a variant, `en-us+f3`; `rate` is in words a minute,
    `pitch` 0 to 99. eSpeak NG varies its sound a little from call to call: the same calls in the same order give the
    same bytes in every run, and what was said once is kept. It is licensed under the GPL, version 3: rtactors loads it
    only here.
    """

    def __init__(self, voice: str = "en-us", *, rate: int = 165, pitch: int = 50) -> None:
        with _one_at_a_time:
            _choose(voice, rate, pitch)
        self._settings = (voice, rate, pitch)

    async def speak(self, text: str) -> Speech:
        return await to_thread.run_sync(_synthesize, text, *self._settings)


# ------------------------------------------------------------------------------- eSpeak's C interface, speak_lib.h

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_EVENT_END, _EVENT_WORD = 0, 1
_OK = 0


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # in ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
_one_at_a_time = Lock()  # the library keeps one global state


@lru_cache(maxsize=1)
def espeak() -> tuple[ctypes.CDLL, int]:
    """The library, made ready, and its sampling rate in Hz."""
    try:
        import espeakng_loader  # pyright: ignore[reportMissingTypeStubs] - it has none
    except ImportError:
        raise ConfigurationError(
            'the spoken voice needs eSpeak NG, which is not installed: pip install "rtactors[speech]"'
        ) from None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DONT_EXIT)
    if rate <= 0:
        raise ConfigurationError("eSpeak NG could not read its data: install the package espeakng-loader anew")
    return library, rate


def _choose(voice: str, rate: int, pitch: int) -> tuple[ctypes.CDLL, int]:
    library, source_rate = espeak()
    if library.espeak_SetVoiceByName(voice.encode()) != _OK:
        raise ConfigurationError(f"eSpeak NG has no voice {voice!r}: try en-us, en or en-us+f3")
    library.espeak_SetParameter(_RATE, rate, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    return library, source_rate


@lru_cache(maxsize=256)
def _synthesize(text: str, voice: str, rate: int, pitch: int) -> Speech:
    """Blocks for a few ms; one thread at a time."""
    pcm = bytearray()
    marks: list[tuple[int, int]] = []

    def collect(samples: int | None, count: int, events: Any) -> int:  # noqa: ANN401 - a ctypes pointer has no type
        if samples and count > 0:
            pcm.extend(ctypes.string_at(samples, 2 * count))
        index = 0
        while (event := events[index]).type != _EVENT_END:
            if event.type == _EVENT_WORD:
                marks.append((event.text_position - 1, event.audio_position))
            index += 1
        return 0

    callback = _Callback(collect)
    encoded = text.encode()
    with _one_at_a_time:
        library, source_rate = _choose(voice, rate, pitch)
        library.espeak_SetSynthCallback(callback)
        size = ctypes.c_size_t(len(encoded) + 1)
        if encoded and library.espeak_Synth(encoded, size, 0, 1, 0, _CHARS_UTF8, None, None) != _OK:
            raise RuntimeError(f"eSpeak NG could not speak {text!r}")
    return Speech(resample(bytes(pcm), source_rate, RATE), _timed(text, marks))


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
