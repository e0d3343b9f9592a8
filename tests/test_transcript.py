"""A message's text against its audio: which words have begun, and which of them were heard, at each position."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment import EvenAligner, Word
from rtactors.alignment.base import Alignment
from rtactors.testing.alignment import words_are_the_text_in_order_at_every_moment
from rtactors.transcript import Transcript

RATE = 1000
"""Hz: one frame is one ms."""

FIRST, SECOND, THIRD = (0, 1), (1, 2), (2, 3)


def transcript() -> Transcript:
    return Transcript(RATE, EvenAligner())


def spoken(*stretches: tuple[str, int]) -> Transcript:
    """Of texts, and ms of audio, each as long as its text."""
    made = transcript()
    for number, (text, ms) in enumerate(stretches):
        made.add_text((number, number), text, over=True)
        made.add_audio((number, number), bytes(2 * ms), over=True)
    return made


def texts(words: Iterable[Word]) -> list[str]:
    return [word.text for word in words]


def heard(made: Transcript, frames: int) -> str:
    made.follow(frames)
    return made.heard(frames)[0]


@pytest.mark.parametrize(
    ("frames", "begun", "ended"),
    [
        (0, [], ""),
        (1, ["one"], ""),
        (299, ["one"], ""),
        (300, ["one", " two"], "one"),
        (699, ["one", " two"], "one"),
        (1300, ["one", " two", " three"], "one two three"),
    ],
)
def test_a_word_is_told_when_it_begins_and_heard_when_it_has_ended(frames: int, begun: list[str], ended: str) -> None:
    made = spoken(("one two three", 1300))
    assert texts(made.follow(frames)) == begun
    assert made.follow(frames) == []
    text, words = made.heard(frames)
    assert (text, "".join(texts(words))) == (ended, ended)


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (0, ""),
        (500, "one two"),
        (1000, "one two three "),
        (1400, "one two three four"),
        (2000, "one two three four five six"),
    ],
)
def test_stretches_are_heard_one_after_the_other(frames: int, text: str) -> None:
    made = spoken(("one two three ", 1000), ("four five six", 1000))
    assert heard(made, frames) == text


def test_times_are_of_the_message() -> None:
    made = spoken(("one", 300), ("two", 300))
    assert [(word.start_ms, word.end_ms) for word in made.follow(600)] == [(0, 300), (300, 600)]


def test_shown_text_was_shown_wherever_it_stands() -> None:
    made = transcript()
    made.show((0, 0), "List. ")
    made.add_text(SECOND, "one two three", over=True)
    made.add_audio(SECOND, bytes(2000), over=True)
    made.show((2, 2), " End.")
    assert heard(made, 500) == "List. one End."


def test_a_text_without_audio_was_not_heard() -> None:
    made = spoken(("one two", 1000))
    made.add_text(SECOND, "three", over=True)
    assert heard(made, 1000) == "one two"


def test_a_sentence_of_which_a_voice_made_nothing_goes_with_those_around_it() -> None:
    made = spoken(("one", 300), ("...", 0), ("two", 300))
    assert heard(made, 299) == ""
    assert heard(made, 300) == "one..."
    assert heard(made, 600) == "one...two"


def test_before_anything_was_heard_nothing_was_that_has_no_audio_either() -> None:
    made = spoken(("one two", 0), ("three", 300))
    assert made.follow(0) == []
    assert made.heard(0) == ("", [])


def test_a_stretch_that_is_gone_on_behind_is_complete() -> None:
    made = transcript()
    made.add_text(FIRST, "one two", over=True)
    made.add_audio(FIRST, bytes(600))
    assert heard(made, 300) == "one"  # so far it might go on: by the pace of speech it does
    made.add_audio(SECOND, bytes(600))
    assert heard(made, 300) == "one two"


def test_text_that_trails_is_told_at_once() -> None:
    made = transcript()
    made.add_audio(FIRST, bytes(2000), over=True)
    assert made.follow(1000) == []
    made.add_text(FIRST, "one t")
    assert texts(made.follow(1000)) == ["one"]
    made.add_text(FIRST, "wo")
    assert texts(made.follow(1000)) == []
    made.end_text()
    assert texts(made.follow(1000)) == [" two"]
    assert made.heard(1000)[0] == "one two"


def test_a_corrected_text_is_heard_corrected() -> None:
    made = transcript()
    made.add_audio(FIRST, bytes(2000), over=True)
    made.add_text(FIRST, "won too three")
    made.follow(1000)
    made.add_text(FIRST, "one two three", anew=True, over=True)
    made.follow(1000)
    text, words = made.heard(1000)
    assert (text, "".join(texts(words))) == ("one two three", "one two three")


def test_a_correction_counts_however_far_the_next_word_is() -> None:
    made = transcript()
    made.add_text(FIRST, "won ", times=(0, 300))
    made.add_text(FIRST, "too ", times=(2000, 2300))
    made.add_audio(FIRST, bytes(6000))
    assert texts(made.follow(600)) == ["won"]
    made.add_text(FIRST, "one two", anew=True, over=True)
    assert heard(made, 600) == "one"


class Fickle:
    """An aligner that tells something else each time, in the terms of the contract."""

    def __init__(self, answers: list[list[int]]) -> None:
        self._answers = answers

    def begin(self, rate: int) -> Alignment:  # noqa: ARG002 - it looks at nothing
        return _Fickle(self._answers)


class _Fickle:
    def __init__(self, answers: list[list[int]]) -> None:
        self._answers = answers

    def add_text(self, text: str) -> None: ...
    def replace_text(self, text: str) -> None: ...
    def end_text(self) -> None: ...
    def add_audio(self, pcm: bytes) -> None: ...
    def end_audio(self) -> None: ...

    def words(self) -> list[Word]:
        lengths = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        words: list[Word] = []
        at = 0
        for number, length in enumerate(lengths):
            words.append(Word(f" {number}", at, at + length))
            at += length
        return words


@given(
    st.lists(st.lists(st.integers(1, 300), min_size=8, max_size=8), min_size=1, max_size=9),
    st.lists(st.integers(1, 200), min_size=1, max_size=20),
)
def test_what_was_told_stays_as_it_was_told(answers: list[list[int]], steps: list[int]) -> None:
    made = Transcript(RATE, Fickle(answers))
    told: list[Word] = []
    heard_before, position = "", 0
    for step in steps:
        made.add_audio(FIRST, bytes(2 * step))  # so that it may be asked again
        position += step
        begun = made.follow(position)
        assert all(word.start_ms <= position for word in begun)
        told += begun
        text, words = made.heard(position)
        assert words == told[: len(words)]
        assert len(told) - len(words) <= 1
        assert text.startswith(heard_before)
        heard_before = text
    assert texts(told) == [f" {number}" for number in range(len(told))]
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(told))


STRETCHES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.text("ab .\n", max_size=12), st.integers(0, 500)), max_size=6
)


@given(STRETCHES, st.integers(0, 3000), st.integers(0, 3000))
def test_more_heard_is_never_less(stretches: list[tuple[bool, int, str, int]], one: int, other: int) -> None:
    made = transcript()
    for shown, place, text, ms in stretches:
        if shown:
            made.show((place, 0), text)
        else:
            made.add_text((place, 1), text)
            made.add_audio((place, 1), bytes(2 * ms))
    made.end_text()
    less, more = sorted((one, other))
    first, second = heard(made, less), heard(made, more)
    assert len(first) <= len(second) <= sum(len(text) for _, _, text, _ in stretches)


class KnowsLater:
    """An aligner that asked a thread: `answer` is what it is told one day; until then it spreads the text evenly."""

    def __init__(self) -> None:
        self.answer: list[Word] = []

    def begin(self, rate: int) -> Alignment:
        alignment = EvenAligner().begin(rate)
        even = alignment.words
        alignment.words = lambda: self.answer or even()
        return alignment


def test_what_is_known_better_later_counts_from_the_next_word_on() -> None:
    """Though nothing has arrived meanwhile."""
    aligner = KnowsLater()
    made = Transcript(RATE, aligner)
    made.add_text(FIRST, "one two three", over=True)
    made.add_audio(FIRST, bytes(2 * 1300), over=True)
    assert texts(made.follow(100)) == ["one"]
    aligner.answer = [Word("one", 0, 200), Word(" two", 900, 1000), Word(" three", 1000, 1300)]
    assert texts(made.follow(899)) == []
    assert [(word.start_ms, word.end_ms) for word in made.follow(1300)] == [(900, 1000), (1000, 1300)]


def test_times_that_come_when_the_audio_is_over() -> None:
    made = transcript()
    made.add_audio(FIRST, bytes(2 * 1000), over=True)
    made.add_text(FIRST, "one", times=(400, None))
    made.add_text(FIRST, " two", times=(5000, None), over=True)
    assert [(word.start_ms, word.end_ms, word.estimated) for word in made.follow(1000)] == [
        (400, 656, False),
        (656, 1000, True),
    ]


class Given:
    """An aligner that answers what it is told to."""

    def __init__(self, *answers: list[Word]) -> None:
        self._answers = iter(answers)
        self._even = EvenAligner()

    def begin(self, rate: int) -> Alignment:
        alignment, answers = self._even.begin(rate), self._answers
        alignment.words = lambda: next(answers)
        return alignment


def test_a_word_that_was_thought_to_be_longer_than_the_audio() -> None:
    """The last ones begin where that ends: there is no more of it."""
    long = Word("one", 0, 900)
    made = Transcript(RATE, Given([long], [Word("one", 0, 200), Word(" two", 200, 400)]))
    made.add_audio(FIRST, bytes(2 * 400))
    made.add_text(FIRST, "one ")
    assert made.follow(100) == [long]
    made.add_text(FIRST, "two", over=True)
    made.add_audio(FIRST, b"", over=True)
    [word] = made.follow(400)
    assert (word.text, word.start_ms) == (" two", 400)
    assert made.heard(400)[0] == "one two"


def test_what_has_no_audio_waits_for_what_is_before_it() -> None:
    made = spoken(("one two", 700), (" (hush)", 0), (" three", 600))
    assert texts(made.follow(400)) == ["one", " two"]
    assert texts(made.follow(700)) == [" (hush)"]
    assert made.heard(500)[0] == "one"
    assert made.heard(700)[0] == "one two (hush)"


def test_what_has_no_audio_holds_up_nothing_behind_it() -> None:
    made = transcript()
    made.add_text(FIRST, "Hush. ")
    made.add_text(SECOND, "one two", over=True)
    made.add_audio(SECOND, bytes(2 * 700), over=True)
    assert texts(made.follow(250)) == ["Hush.", "one"]
    assert heard(made, 700) == "Hush. one two"


class Telling:
    """An aligner that gives what it was given, whatever that is."""

    def __init__(self, words: Any) -> None:
        self._words = words

    def begin(self, rate: int) -> Alignment:
        alignment = EvenAligner().begin(rate)
        alignment.words = lambda: self._words
        return alignment


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (None, "None: it has to give a list"),
        ((word for word in ()), "generator .*: it has to give a list"),
        (["one"], "'one': a word is Word"),
        ([("one", 0, 100)], "'one', 0, 100.*: a word is Word"),
        ([Word("one", 0, 99.5)], "99.5.*: a word is Word"),  # pyright: ignore[reportArgumentType] - as in an app
        ([Word("one", None, None)], "None.*: a word is Word"),  # pyright: ignore[reportArgumentType] - as in an app
    ],
)
def test_an_aligner_that_gives_something_else_is_told_what_it_gave(words: object, told: str) -> None:
    made = Transcript(RATE, Telling(words))
    made.add_text(FIRST, "one")
    made.add_audio(FIRST, bytes(200))
    with pytest.raises(TypeError, match=rf"words\(\) of an aligner gave .*{told}"):
        made.follow(50)
    with pytest.raises(TypeError, match="words"):
        words_are_the_text_in_order_at_every_moment(Telling(words), Random(0))
