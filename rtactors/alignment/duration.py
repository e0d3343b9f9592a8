"""How long a word takes to say and what pause is behind it, judged by its spelling, in any script. Pure.

Durations are in ms at an ordinary pace, of about 5 syllables or 13 sounds a second. How much faster or slower a voice
is shows in its audio, so only their proportions count; the constants are rounded accordingly.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, normalize

from rtactors.punctuation import CLOSING, ENDS_CLAUSE, ENDS_SENTENCE


class Pause(IntEnum):
    """What stands behind a word, as far as speakers mind it."""

    NONE = 0
    PHRASE = 1  # a comma and the like
    SENTENCE = 2  # a full stop and the like


class Spoken(NamedTuple):
    """A word, as it is said."""

    ms: float
    """0 for what isn't said: markup, emoji, a dash."""
    variance: float
    """In ms squared: how far off that may be."""
    pause: Pause


_VOWEL, _MORE_VOWELS = 105, 40  # ms for the first of neighbouring vowels, and each other
_CONSONANT, _MORE_CONSONANTS = 65, 40
_NAME = 190  # of a letter that is spelt out: USA
_SHORT = 3  # letters: what is longer and has vowels is said as a word, NASA
_DIGIT = 300  # one that is read by itself
_TEN, _TEEN, _HUNDRED, _THOUSAND = 450, 420, 600, 500  # "fifty", "fifteen", "five hundred", "thousand"
_READ_BY_DIGIT = 8  # digits: so long are telephone numbers
_SIGN = 380  # "percent", "euros", "plus"
_POINT = 180  # in example.com, in 2.5

# Letters that are syllables, or that leave vowels out; all others are of an alphabet. First, last, ms.
_SYLLABLES = (
    (0x0590, 0x08FF, 105),  # Hebrew, Arabic and their kin: short vowels aren't written
    (0x0900, 0x0DFF, 135),  # of India: a consonant and mostly a vowel
    (0x0E00, 0x0EFF, 85),  # Thai, Lao: part of the vowels are letters
    (0x1000, 0x109F, 110),  # Burmese
    (0x1200, 0x139F, 150),  # Ethiopic
    (0x1780, 0x17FF, 110),  # Khmer
    (0x2E80, 0x303F, 205),  # Han
    (0x3040, 0x30FF, 150),  # kana: a mora
    (0x31F0, 0x31FF, 150),
    (0x3400, 0x9FFF, 205),
    (0xAC00, 0xD7AF, 170),  # Hangul
    (0xF900, 0xFAFF, 205),
    (0xFF66, 0xFF9D, 150),
    (0x20000, 0x3FFFF, 205),
)
_SMALL_KANA = frozenset("ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ")  # they only change the mora before them
_NO_VOWEL = frozenset("\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u103a\u17d2")  # virama
_INHERENT_VOWEL = 50
_VOWELS = frozenset("aeiouyæœøıəαεηιουωаеиоуыэюяіє")  # noqa: RUF001 - they look alike

PER_SYLLABLE = 25  # ms, times its duration: the variance of what is spelt as it is said
_NUMBERS_OFF = 0.4  # of their duration: "nineteen eighty-four" is half as long as "tausendneunhundertvierundachtzig"

# Tags, also one that goes on behind a space; where a link leads; what nobody reads of an address.
_UNSPOKEN = re.compile(r"</?[a-z][^<>]*+>?|\]\([^()\s]*+\)?|https?://|www\.", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f]\d{3}(?!\d))*")  # 1,234,567
_SPOKEN_POINT = re.compile(r"(?<=[^\W\d])[./@](?=\w)|(?<=\d)[.,](?=\d\d?(?!\d))")
_ENDS_PHRASE = (*ENDS_CLAUSE, "-", "·")
_BEHIND_THESE = CLOSING + "*_`~\u200d\ufe0f"  # also the marks of markup, and of emoji


@lru_cache(maxsize=4096)  # most of what is said consists of few words
def spoken(word: str) -> Spoken:
    """How `word` is said, with or without white space around it."""
    text = _UNSPOKEN.sub("", word.strip())
    letters = _letters(text)
    numbers = sum(map(_number, _NUMBER.findall(text)))
    signs = sum(_SIGN for each in text if each in "%&+=°‰" or category(each) == "Sc")
    ms = letters + numbers + signs + _POINT * len(_SPOKEN_POINT.findall(text))
    return Spoken(ms, PER_SYLLABLE * ms + (_NUMBERS_OFF * numbers) ** 2, _pause(text))


def _pause(text: str) -> Pause:
    ended = text.rstrip(_BEHIND_THESE)
    if ended.endswith(ENDS_SENTENCE):
        return Pause.SENTENCE
    return Pause.PHRASE if ended.endswith(_ENDS_PHRASE) else Pause.NONE


def _letters(text: str) -> float:
    letters = "".join(filter(str.isalpha, text))
    if _is_spelt(letters):
        return _NAME * len(letters)
    ms = 0.0
    before = ""
    for each in _bare(text.lower()):
        if each in _NO_VOWEL:
            ms -= _INHERENT_VOWEL
        elif category(each)[0] == "L":
            kind, takes = _letter(each, before)
            ms += takes
            before = kind
        elif category(each)[0] != "M":
            before = ""
    return max(0.0, ms)


def _is_spelt(letters: str) -> bool:
    if not letters.isascii() or not letters.isupper():
        return False
    return 1 < len(letters) <= _SHORT or not _VOWELS & set(letters.lower())


def _bare(text: str) -> str:
    """Latin, Greek and Cyrillic letters without their accents."""
    return normalize("NFD", text) if text and max(text) < "\u0530" else text


def _letter(letter: str, before: str) -> tuple[str, float]:
    """Its kind and its duration, behind a letter of kind `before`."""
    if letter in _VOWELS:
        return "vowel", _MORE_VOWELS if before == "vowel" else _VOWEL
    if letter >= "\u0590":
        for first, last, ms in _SYLLABLES:
            if first <= ord(letter) <= last:
                return "syllable", 0 if letter in _SMALL_KANA else ms
    return "consonant", _MORE_CONSONANTS if before == "consonant" else _CONSONANT


def _number(written: str) -> float:
    digits = "".join(filter(str.isdecimal, written))
    if len(digits) >= _READ_BY_DIGIT or int(digits[0]) == 0:
        return _DIGIT * len(digits)
    number, below = divmod(int(digits), 1000)
    ms = _below_thousand(below)
    while number:
        number, below = divmod(number, 1000)
        ms += _THOUSAND * (below > 0) + _below_thousand(below) * (below > 1)  # most languages just say "thousand"
    return ms


def _below_thousand(number: int) -> float:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    return _HUNDRED * (hundreds > 0) + (_TEEN if tens == 1 else _TEN * (tens > 0) + _DIGIT * (ones > 0))
