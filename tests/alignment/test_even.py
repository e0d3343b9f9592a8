"""The aligner that spreads a text over its audio evenly."""

import pytest

from rtactors.alignment import EvenAligner
from rtactors.alignment.base import Alignment
from rtactors.alignment.even import MS_PER_CHARACTER

RATE = 1000
"""Hz: one frame is one ms."""


def alignment(text: str, ms: int) -> Alignment:
    made = EvenAligner().begin(RATE)
    made.add_text(text)
    made.add_audio(bytes(2 * ms))
    return made


def ends(made: Alignment) -> list[tuple[str, int]]:
    return [(word.text, word.end_ms) for word in made.words()]


def test_each_character_takes_as_long_as_the_next() -> None:
    made = alignment("one two three", 1300)
    made.end_text()
    made.end_audio()
    assert ends(made) == [("one", 300), (" two", 700), (" three", 1300)]


def test_words_of_scripts_without_spaces() -> None:
    made = alignment("昔々、ある", 500)
    made.end_text()
    made.end_audio()
    assert ends(made) == [("昔々、", 300), ("あ", 400), ("る", 500)]


@pytest.mark.parametrize("ms", [0, 100, 400])
def test_text_ahead_of_its_audio_lies_behind_it_by_the_pace_of_speech(ms: int) -> None:
    made = alignment("one two", ms)
    made.end_text()
    assert ends(made) == [("one", 3 * MS_PER_CHARACTER), (" two", 7 * MS_PER_CHARACTER)]


def test_text_that_trails_its_audio_is_not_spread_over_it() -> None:
    made = alignment("one t", 5000)
    assert ends(made) == [("one", 3 * MS_PER_CHARACTER)]
