"""How long words take: only what must hold in any voice."""

# ruff: noqa: RUF001 - letters that look alike are what is meant

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment.duration import Pause, spoken
from rtactors.alignment.script import Script


def ms(word: str) -> float:
    return spoken(word).ms


def script(text: str) -> Script:
    result = Script()
    result.add(text)
    result.end()
    return result


@pytest.mark.parametrize(
    "word", ["**", "-", "—", "👋🏽", "❤️", "🇩🇪", "<break/>", "</b>", "#", "```", "...", "](https://a.bc/d)"]
)
def test_what_nobody_says(word: str) -> None:
    assert ms(word) == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**bold**", "bold"),
        ("<b>bold</b>", "bold"),
        ("https://example.com", "example.com"),
        ("[manual](https://example.com/manual).", "manual"),
        ("é", "e\u0301"),
        ("Ünïcödé", "unicode"),
    ],
)
def test_said_the_same(written: str, said: str) -> None:
    assert ms(written) == ms(said)


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("a", "strength"),
        ("nasa", "NBC"),  # which is spelt out
        ("five", "55"),
        ("7", "1984"),
        ("1,000,000", "1,234,567"),
        ("50", "50%"),
        ("15", "25"),
        ("1000", "2000"),
        ("b", "B"),
        ("15", "$15"),
        ("com", "example.com"),
        ("きゃ", "きや"),
        ("क्", "क"),
    ],
)
def test_what_takes_longer(shorter: str, longer: str) -> None:
    assert 0 < ms(shorter) < ms(longer)


@pytest.mark.parametrize("word", ["安", "안", "か", "ก", "ක", "한", "ሀ", "က", "ក", "ש", "ش"])
def test_letters_that_are_syllables_take_longer_than_those_of_an_alphabet(word: str) -> None:
    assert 60 < ms(word) < 300


@pytest.mark.parametrize(
    ("word", "pause"),
    [
        ("yes", Pause.NONE),
        ("yes,", Pause.PHRASE),
        ('yes,"', Pause.PHRASE),
        ("**Yes:**", Pause.PHRASE),
        ("yes.", Pause.SENTENCE),
        ("(yes!)", Pause.SENTENCE),
        ("是。", Pause.SENTENCE),
        ("是，", Pause.PHRASE),
        ("نعم؟", Pause.SENTENCE),
        ("हाँ।", Pause.SENTENCE),
        ("👋", Pause.NONE),
    ],
)
def test_pauses(word: str, pause: Pause) -> None:
    assert spoken(word).pause == pause


def test_pauses_by_what_follows() -> None:
    none, phrase, sentence = Pause
    assert script("one\ntwo").pauses == [none, sentence, none]
    assert script("etc. and").pauses == [none, phrase, none]
    assert script("end. And").pauses == [none, sentence, none]


def test_a_tag_with_spaces_takes_no_time() -> None:
    times = script('Wait <break time="1s" strength="weak"/> a moment; 1 <b and c').ms
    assert times[1] == times[2] == times[3] == times[4] < times[5]
    assert times[-1] > times[-2] > times[-3]


@given(st.lists(st.text(max_size=12), max_size=12))
def test_a_text_is_the_same_in_whatever_pieces(pieces: list[str]) -> None:
    slowly, at_once = Script(), script("".join(pieces))
    for piece in pieces:
        slowly.add(piece)
    assert slowly.text == at_once.text
    slowly.end()
    assert slowly.words == at_once.words
    assert slowly.ms == at_once.ms
    assert slowly.unseen == at_once.unseen


@given(st.text(max_size=40))
def test_it_is_some_time(word: str) -> None:
    time, variance, _ = spoken(word)
    assert 0 <= time < 1000 * (1 + len(word))
    assert variance >= 0
