"""What eSpeak NG says and when exactly it says it: from its word and phoneme events, which know each sample.

`rtactors.espeak` has no need of phonemes; so this has its own way into the library, and asks for them.
"""

import ctypes
import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from rtactors.espeak import Callback
from rtactors.resample import resample

RATE = 24_000
"""Hz of all audio here."""

_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 1, 0x8000
_UTF8 = 1
_SPEED, _PITCH = 1, 3
_LAST, _WORD, _PHONEME = 0, 1, 7  # types of events


class Spoken(NamedTuple):
    """A word, or as much text as eSpeak says as one: it gives `of the` one mark, so this is one word here."""

    end: int
    """Where its last letter or digit ends in the text, in characters."""
    start_ms: float
    end_ms: float


class Sentence(NamedTuple):
    pcm: bytes
    """Mono PCM16 of RATE."""
    words: list[Spoken]


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """It, and its rate in Hz. It can't be set up twice: not in a process that uses `rtactors.espeak`."""
    import espeakng_loader  # pyright: ignore[reportMissingTypeStubs] - it has none

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    options = _PHONEME_EVENTS | _DONT_EXIT
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), options)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # its breath would be another in every run
    return library, rate


class _Heard(NamedTuple):
    """An event: a word begins (its position in the text), or a phoneme (its name)."""

    at_ms: float
    position: int | None
    phoneme: str

    @property
    def silent(self) -> bool:
        return self.position is None and self.phoneme.startswith("_")


def _say(text: str, voice: str, words_a_minute: int, pitch: int) -> tuple[bytes, list[_Heard]]:
    library, rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"eSpeak NG has no voice {voice!r}")
    library.espeak_SetParameter(_SPEED, words_a_minute, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    pcm = bytearray()
    heard: list[_Heard] = []

    def collect(samples: int | None, count: int, events: Any) -> int:  # noqa: ANN401 - a ctypes pointer has no type
        if samples and count > 0:
            pcm.extend(ctypes.string_at(samples, 2 * count))
        index = 0
        while (event := events[index]).type != _LAST:
            if event.type == _WORD:
                heard.append(_Heard(1000 * event.sample / rate, event.text_position - 1, ""))
            elif event.type == _PHONEME and not event.id.startswith(b"("):  # which is a change of language
                heard.append(_Heard(1000 * event.sample / rate, None, event.id.decode(errors="replace")))
            index += 1
        return 0

    encoded = text.encode()
    library.espeak_SetSynthCallback(callback := Callback(collect))
    library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 1, 0, _UTF8, None, None)
    del callback  # it had to live until here
    return resample(bytes(pcm), rate, RATE), heard


_MARKUP = re.compile(r"\]\([^)\s]*\)|[*_#\[\]`]|^\s*- ", re.MULTILINE)
_WORDS = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


def _said(text: str) -> list[int]:
    """Which characters are: a voice says no markup, addresses of links, or emoji."""
    silent = {index for match in _MARKUP.finditer(text) for index in range(*match.span())}
    silent |= {index for index, letter in enumerate(text) if letter == "\ufe0f" or unicodedata.category(letter) == "So"}
    return [index for index in range(len(text)) if index not in silent]


def speak(text: str, voice: str, words_a_minute: int, pitch: int) -> Sentence:
    """Say one sentence."""
    said = _said(text)
    spoken = "".join(text[index] for index in said)
    pcm, heard = _say(spoken, voice, words_a_minute, pitch)
    written = [match.span() for match in _WORDS.finditer(spoken)]
    # Which word each mark begins; what has no mark is said with the word before it.
    marks: dict[int, int] = {}  # number of the word: index of its event
    for index, event in enumerate(heard):
        if event.position is not None:
            number = max(n for n, (start, _) in enumerate(written) if n == 0 or start <= event.position)
            if number > max(marks, default=-1):
                marks[number] = index
    words: list[Spoken] = []
    bounds = [*marks.items(), (len(written), len(heard))]
    for (number, first), (following, last) in pairwise(bounds):
        begun, ended = _span(heard, first, last, 1000 * len(pcm) / 2 / RATE)
        letters = [n for n in range(written[number][0], written[following - 1][1]) if _is_letter(spoken[n])]
        words.append(Spoken(said[letters[-1]] + 1, begun, ended))
    return Sentence(pcm, words)


def _is_letter(character: str) -> bool:
    """Also a digit, or a vowel sign."""
    return unicodedata.category(character)[0] in "LMN"


def _span(heard: list[_Heard], first: int, last: int, over_ms: float) -> tuple[float, float]:
    """From when to when something sounds of the events from `first` until before `last`."""
    sounds = [index for index in range(first + 1, last) if not heard[index].silent and heard[index].position is None]
    begun = heard[first].at_ms if sounds[0] == first + 1 else heard[sounds[0]].at_ms
    return begun, next((event.at_ms for event in heard[sounds[-1] + 1 :]), over_ms)
