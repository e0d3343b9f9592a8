"""How long a word takes to say, and how likely a pause follows it: judged by its spelling, in any script. Pure.

Durations are in ms at an ordinary pace: the aligner learns how much faster or slower a voice is, so only their
proportions count. They are means of the field's measurements of read speech, rounded: about 5 syllables or 13 sounds a
second, vowels half as long again as consonants.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, normalize


class Pause(IntEnum):
    """What stands behind a word, as far as speakers mind it."""

    NONE = 0
    PHRASE = 1  # a comma and the like
    SENTENCE = 2  # a full stop and the like, or a new line


class Spoken(NamedTuple):
    ms: float
    """0 for what isn't spoken: markup, emoji, a dash."""
    pause: Pause


_VOWEL, _MORE_VOWELS, _CONSONANT, _MORE_CONSONANTS = 105, 40, 65, 40
_WORD_ONSET = 0  # each word has a little more than its letters: what its sounds don't share with the next one's
_SPELT_LETTER = 190  # USA
_DIGIT = 300  # "five"
_PLACES = (300, 400, 450, 350)  # "five", "fifty", "five hundred", "five thousand": of the last digits of a number
_SPELT_NUMBER = 7  # digits: longer ones are read one by one
_SIGN = 380  # "percent", "euros", "plus"
_DOT = 180  # in example.com, 2.5

# Letters of scripts that write syllables, or leave vowels out: (first, last, ms each). The others are alphabets.
_SYLLABLES = (
    (0x0590, 0x08FF, 105),  # Hebrew, Arabic and their kin: short vowels aren't written
    (0x0900, 0x0DFF, 125),  # of India: a consonant and its inherent vowel
    (0x0E00, 0x0EFF, 85),  # Thai, Lao: part of the vowels are letters
    (0x1000, 0x109F, 110),  # Burmese
    (0x1200, 0x139F, 150),  # Ethiopic
    (0x1780, 0x17FF, 110),  # Khmer
    (0x3040, 0x30FF, 125),  # kana: a mora
    (0x31F0, 0x31FF, 125),
    (0xAC00, 0xD7AF, 170),  # Hangul: a syllable
    (0xFF66, 0xFF9D, 125),
    (0x2E80, 0x9FFF, 205),  # Han: a syllable
    (0xF900, 0xFAFF, 205),
    (0x20000, 0x3FFFF, 205),
)
_SMALL_KANA = frozenset("ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ")  # they change the mora before them
_VIRAMAS = frozenset("\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u1039\u103a\u17d2")  # no vowel
_VOWELS = frozenset("aeiouyæœøıəαεηιουωаеиоуыэюяіє")

_UNSPOKEN = re.compile(
    r"<[^<>]*+>|<[a-z/][^<>]*$|\]\([^()\s]*+\)|https?://|www\.",  # tags, where a link leads, what nobody reads of a URL
    re.IGNORECASE,
)
_SENTENCE = frozenset(".!?…。！？｡؟۔।॥។።;\u037e")
_PHRASE = frozenset(",:;–—-،؛、，：；､·՝")
_BEHIND = "\"'”’»›)]}*_`~」』）】》〉\u200d\ufe0f"  # what may stand between a word and its full stop, or behind it


@lru_cache(maxsize=4096)  # most of what is said consists of few words
def spoken(word: str) -> Spoken:
    """How long `word` (with or without white space around it) takes, and what comes behind it."""
    text = _UNSPOKEN.sub("", word.strip())
    return Spoken(_duration(text), _pause(text))


def _pause(text: str) -> Pause:
    end = text.rstrip(_BEHIND)
    if not end:
        return Pause.NONE
    if end[-1] in _SENTENCE and end[-1] != ";":
        return Pause.SENTENCE
    return Pause.PHRASE if end[-1] in _PHRASE else Pause.NONE


def _duration(text: str) -> float:
    letters = [each for each in text if each.isalpha()]
    if 2 <= len(letters) <= 5 and text.isascii() and _is_spelt("".join(letters)):
        return _WORD_ONSET + _SPELT_LETTER * len(letters)
    ms = 0.0
    before = ""  # kind of sound
    for each in _decomposed(text.lower()):
        kind = category(each)
        if kind[0] == "L":
            sound, takes = _letter(each, before)
            ms += takes
        else:
            sound = ""
            if kind[0] == "N" and kind != "Nd":
                ms += _DIGIT
            elif kind == "Sc" or each in "%&+=@°‰":
                ms += _SIGN
            elif each in _VIRAMAS:
                ms -= 50
            elif kind in {"Mc", "Mn"}:
                sound = before
        before = sound
    ms += sum(_number(each) for each in _NUMBER.findall(text))
    ms += _DOT * len(_INNER_DOT.findall(text))
    return ms + _WORD_ONSET if ms else 0


_INNER_DOT = re.compile(r"(?<=[^\W\d])[./@](?=\w)|(?<=\d)[.,](?=\d\d?(?!\d))")


_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f]\d{3}(?!\d))*")


def _number(written: str) -> float:
    digits = [each for each in written if each.isdecimal()]
    if len(digits) > _SPELT_NUMBER or (len(digits) > 1 and digits[0] == "0"):
        return _DIGIT * len(digits)
    ms = float(_PLACES[3] * (len(digits) > 4))
    for place, digit in enumerate(reversed(digits)):
        if int(digit) or len(digits) == 1:
            ms += _PLACES[place if place < 4 else place % 3]
    return ms


def _is_spelt(letters: str) -> bool:
    return letters.isupper() and (len(letters) <= 3 or not set(letters) & set("AEIOUY"))


def _decomposed(text: str) -> str:
    """Latin, Greek and Cyrillic letters without what is above or below them."""
    return normalize("NFD", text) if text and max(text) < "\u0530" else text


def _letter(letter: str, before: str) -> tuple[str, float]:
    code = ord(letter)
    if code >= 0x0590:
        for first, last, ms in _SYLLABLES:
            if first <= code <= last:
                if letter in _SMALL_KANA:
                    return "s", 0
                return "s", ms
    if letter in _VOWELS:
        return "v", _MORE_VOWELS if before == "v" else _VOWEL
    return "c", _MORE_CONSONANTS if before == "c" else _CONSONANT
