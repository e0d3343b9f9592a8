"""What a message is made of: which text belongs to which audio, what is shown, and what a server is to cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.content import LONGEST_SENTENCE, Content, Kind

RATE = 1000
"""Hz: one frame is one ms."""


def content(*stretches: tuple[Kind, int, str, int]) -> Content:
    """Of stretches of a kind, part, text, and ms of audio."""
    made = Content(RATE)
    for kind, part, text, ms in stretches:
        made.add_text(part, text, kind)
        if ms:
            made.spoken(part).size += 2 * ms
    return made


def shown(made: Content) -> str:
    return "".join(text for _, text in made.show())


def test_its_text_is_that_of_its_parts_in_their_order() -> None:
    made = content(
        ("spoken", 1, "two ", 100), ("shown", 0, "one ", 0), ("spoken", 1, "too ", 0), ("shown", 2, "three", 0)
    )
    assert made.text == "one two too three"
    assert made.last_part == 2
    assert (made.text_of(1), len(made)) == ("two too ", 3)


def test_what_a_part_says_at_its_end_replaces_its_pieces_and_no_other_part() -> None:
    made = content(("spoken", 0, "Helo", 100), ("spoken", 1, "again", 100))
    made.end_text(0, "Hello ", "spoken")
    assert made.text == "Hello again"
    assert not made.text_over
    made.end_text(1, "again", "spoken")
    assert made.text_over


def test_what_was_shown_is_not_changed_any_more() -> None:
    made = content(("shown", 0, "Hello", 0))
    assert shown(made) == "Hello"
    made.end_text(0, "Hello there", "shown")
    assert (shown(made), made.text) == (" there", "Hello there")
    made.end_text(0, "Something else", "shown")
    assert (shown(made), made.text) == ("", "Hello there")
    assert made.shown_text == "Hello there"


@pytest.mark.parametrize(("frames", "part"), [(0, None), (500, None), (1000, None), (1400, 2), (2000, 2)])
def test_of_two_audios_only_the_last_can_be_cut(frames: int, part: int | None) -> None:
    made = content(("spoken", 0, "one two three ", 1000), ("spoken", 2, "four five six", 1000))
    assert made.cut(frames) == (part, 1000 if part else 0)


def test_shown_text_is_never_cut() -> None:
    made = content(("shown", 0, "List. ", 0), ("spoken", 1, "one two three", 1000), ("shown", 2, " End.", 0))
    assert made.cut(500) == (None, 0)  # there is text that was not shown
    assert shown(made) == "List.  End."
    assert made.cut(500) == (1, 0)
    assert (made.shown, made.unshown) == (True, False)


def test_without_words_there_is_always_something_to_cut() -> None:
    made = content(("spoken", 0, "", 1000), ("spoken", 1, "", 1000))
    assert made.cut(300) == (0, 0)
    assert made.cut(1000) == (1, 1000)


def test_audio_of_a_part_that_is_over_is_not_heard() -> None:
    made = content(("spoken", 0, "one", 100))
    made.end_audio(0)
    assert made.spoken(0).audio_over
    assert not made.spoken(1).audio_over


# ---------------------------------------------------------------------------------------------------- for a voice


def test_a_voice_is_asked_for_sentences() -> None:
    made = Content(RATE)
    made.add_text(0, "One. Tw", "voiced")
    assert made.wanted(over=False) == [(0, "One. ")]
    made.add_text(0, "o! Three", "voiced")
    assert made.wanted(over=False) == [(1, "Two! ")]
    assert made.wanted(over=False) == []
    assert made.wanted(over=True) == [(2, "Three")]
    assert made.wanted(over=True) == []
    assert made.text == "One. Two! Three"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He said “Go.” And went", ["He said “Go.” "]),
        ("Wait... what? Yes", ["Wait... ", "what? "]),
        ("3.5 is a number", []),
        ("昔々。あるところに。灯台", ["昔々。", "あるところに。"]),
        ("A line\nand one more", ["A line\n"]),
        ("a" * LONGEST_SENTENCE + " b", ["a" * LONGEST_SENTENCE]),
        ("word " * 100, ["word " * 80]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    made = Content(RATE)
    made.add_text(0, text, "voiced")
    assert [sentence for _, sentence in made.wanted(over=False)] == sentences


def test_the_text_of_a_part_ends_with_it() -> None:
    made = Content(RATE)
    made.add_text(0, "One", "voiced")
    made.add_text(1, "Two", "voiced")
    assert made.wanted(over=False) == [(0, "One")]


def test_a_voice_speaks_sentence_by_sentence() -> None:
    made = Content(RATE)
    made.add_text(0, "one two. three four.", "voiced")
    made.wanted(over=True)
    assert made.awaits_voice
    assert made.add_voice(0, 2 * 1000, over=True)
    assert made.add_voice(1, 2 * 100, over=False)
    assert made.voiced_place(0) < made.voiced_place(1)
    assert made.add_voice(1, 2 * 900, over=True)
    assert made.cut(1500) == (None, 0)
    assert not made.awaits_voice
    assert not made.add_voice(1, 2, over=False)
    assert not made.add_voice(7, 2, over=False)


def test_what_a_voice_does_not_say_is_shown() -> None:
    made = Content(RATE)
    made.add_text(0, "one two. three four five.", "voiced")
    made.wanted(over=True)
    made.add_voice(0, 2 * 1000, over=True)
    made.add_voice(1, 2 * 800, over=False)
    place = made.voiced_place(1)
    assert made.show_instead() == [(place, "three four")]
    assert not made.awaits_voice
    [(place_of_rest, rest)] = made.show()
    assert (place_of_rest > place, rest) == (True, " five.")
    assert made.text == "one two. three four five."


def test_what_the_server_speaks_waits_for_the_voice_before_it() -> None:
    made = Content(RATE)
    made.add_text(0, "One.", "voiced")
    made.spoken(1).size += 200
    made.wanted(over=True)
    assert (made.is_next(0), made.is_next(1)) == (True, False)
    made.add_voice(0, 200, over=True)
    assert made.is_next(1)


STRETCHES = st.lists(
    st.tuples(
        st.sampled_from(["spoken", "shown"]), st.integers(0, 3), st.text("ab .\n", max_size=12), st.integers(0, 500)
    ),
    max_size=6,
)


@given(STRETCHES, st.integers(0, 3000))
def test_a_cut_is_made_where_something_is(stretches: list[tuple[Kind, int, str, int]], frames: int) -> None:
    made = content(*stretches)
    shown(made)
    part, begins = made.cut(frames)
    assert part is None or (begins >= 0 and any(part == each for _, each, _, ms in stretches if ms))


@given(st.lists(st.text("ab .!?\n", max_size=9), max_size=8))
def test_sentences_joined_are_the_text(deltas: list[str]) -> None:
    made = Content(RATE)
    asked: list[str] = []
    for delta in deltas:
        made.add_text(0, delta, "voiced")
        asked += [sentence for _, sentence in made.wanted(over=False)]
    asked += [sentence for _, sentence in made.wanted(over=True)]
    assert "".join(asked) == made.text == "".join(deltas)
