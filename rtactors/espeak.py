"""eSpeak NG, offline and fast, from the package `espeakng-loader`: its C interface, speak_lib.h.

It varies its sound a little from call to call: the same calls in the same order give the same bytes in every run, since
its dice start from the same number. It is licensed under the GPL, version 3: rtactors loads it only here.
"""

import ctypes
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

from rtactors.errors import ConfigurationError


class Sound(NamedTuple):
    """What it said."""

    pcm: bytes
    """Mono PCM16."""
    rate: int
    """Hz."""
    marks: list[tuple[int, int]]
    """Of each word its position in the text, in characters, and in the sound, in ms."""


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
def library() -> tuple[ctypes.CDLL, int]:
    """The library, made ready, and its sampling rate in Hz."""
    try:
        import espeakng_loader  # pyright: ignore[reportMissingTypeStubs] - it has none
    except ImportError:
        raise ConfigurationError(
            'the spoken voice needs eSpeak NG, which is not installed: pip install "rtactors[speech]"'
        ) from None
    loaded = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = loaded.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DONT_EXIT)
    if rate <= 0:
        raise ConfigurationError("eSpeak NG could not read its data: install the package espeakng-loader anew")
    loaded.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return loaded, rate


def _choose(voice: str, words_a_minute: int, pitch: int) -> tuple[ctypes.CDLL, int]:
    loaded, rate = library()
    if loaded.espeak_SetVoiceByName(voice.encode()) != _OK:
        raise ConfigurationError(f"eSpeak NG has no voice {voice!r}: try en-us, en or en-us+f3")
    loaded.espeak_SetParameter(_RATE, words_a_minute, 0)
    loaded.espeak_SetParameter(_PITCH, pitch, 0)
    return loaded, rate


def check(voice: str, words_a_minute: int, pitch: int) -> None:
    """Raises ConfigurationError if there is no such voice, or no eSpeak NG."""
    with _one_at_a_time:
        _choose(voice, words_a_minute, pitch)


def synthesize(text: str, voice: str, words_a_minute: int, pitch: int) -> Sound:
    """Say `text` with an eSpeak `voice`, at a pace of `words_a_minute` and a `pitch` of 0 to 99.

    Blocks for a few ms; one thread at a time.
    """
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
        loaded, rate = _choose(voice, words_a_minute, pitch)
        loaded.espeak_SetSynthCallback(callback)
        size = ctypes.c_size_t(len(encoded) + 1)
        if encoded and loaded.espeak_Synth(encoded, size, 0, 1, 0, _CHARS_UTF8, None, None) != _OK:
            raise RuntimeError(f"eSpeak NG could not speak {text!r}")
    return Sound(bytes(pcm), rate, marks)
