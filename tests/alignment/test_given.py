"""Word times that a provider gives: exact where they are right, harmless where they are not."""

import sys
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment import EvenAligner, GivenAlignment, Word
from rtactors.events import BYTES_PER_FRAME

RATE = 8_000
BYTES_PER_MS = RATE * BYTES_PER_FRAME // 1000
ABSURD = 1 << 62


def begun() -> GivenAlignment:
    return GivenAlignment(EvenAligner().begin(RATE), RATE)


def told(*fragments: tuple[str, int | None, int | None], audio_ms: int | None = None) -> GivenAlignment:
    """Of all of a text; of its audio too, if there is any."""
    alignment = begun()
    for text, start_ms, end_ms in fragments:
        if start_ms is None:
            alignment.add_text(text)
        else:
            alignment.add_timed_text(text, start_ms, end_ms)
    alignment.end_text()
    if audio_ms is not None:
        alignment.add_audio(bytes(audio_ms * BYTES_PER_MS))
        alignment.end_audio()
    return alignment


def times(words: Sequence[Word]) -> list[tuple[str, int, int]]:
    return [(word.text, word.start_ms, word.end_ms) for word in words]


def check_order(words: Sequence[Word]) -> None:
    ends = 0
    for word in words:
        assert ends <= word.start_ms <= word.end_ms, words
        ends = word.end_ms


# ------------------------------------------------------------------------------------------------- times that are right


def test_a_word_is_where_the_provider_says() -> None:
    words = told(("The", 120, 200), (" ship", 260, 700), (" sails.", 900, 1400), audio_ms=2000).words()
    assert times(words) == [("The", 120, 200), (" ship", 260, 700), (" sails.", 900, 1400)]
    assert not any(word.estimated for word in words)


def test_without_an_end_it_lasts_up_to_the_next() -> None:
    words = told(("The", 120, None), (" ship", 260, None), (" sails.", 900, None), audio_ms=1500).words()
    assert times(words) == [("The", 120, 260), (" ship", 260, 900), (" sails.", 900, 1500)]


def test_a_word_of_several_fragments_spans_them() -> None:
    words = told(("light", 100, 300), ("house", 300, 640), (" keeper", 700, 900), ("s", 900, 950)).words()
    assert times(words) == [("lighthouse", 100, 640), (" keepers", 700, 950)]


def test_a_fragment_of_several_words_is_split_by_the_estimate() -> None:
    words = told(("to the ", 1000, 1700), ("sea", 2000, 2300)).words()
    assert times(words) == [("to", 1000, 1233), (" the", 1233, 1700), (" sea", 2000, 2300)]
    assert not any(word.estimated for word in words)


@pytest.mark.parametrize("comma", [("One,", " two"), ("One", ", two"), ("One, ", "two"), ("One", ",", " two")])
def test_punctuation_goes_with_the_word_before_it(comma: tuple[str, ...]) -> None:
    one, *between, two = comma
    words = told((one, 100, 300), *((text, 310, 320) for text in between), (two, 900, 1200)).words()
    assert [(word.text, word.start_ms) for word in words] == [("One,", 100), (" two", 900)]
    assert words[0].end_ms <= 320
    assert not any(word.estimated for word in words)


def test_what_opens_a_word_goes_with_it() -> None:
    words = told(('"Aye', 100, 300), (" — ", None, None), ('"no"', 900, 1200)).words()
    assert [(word.text, word.start_ms, word.estimated) for word in words] == [
        ('"Aye', 100, False),
        (" —", words[1].start_ms, True),
        (' "no"', 900, False),
    ]


def test_a_language_without_spaces() -> None:
    words = told(("我", 100, 180), ("们", 200, 330), ("等船", 350, 700)).words()
    assert times(words) == [("我", 100, 180), ("们", 200, 330), ("等", 350, 525), ("船", 525, 700)]


def test_white_space_takes_no_time() -> None:
    words = told(("\n", 0, 90), ("Aye", 100, 300), (" ", 300, 900), ("aye \n", 1000, 1200)).words()
    assert times(words) == [("\nAye", 100, 300), (" aye \n", 1000, 1200)]


@st.composite
def timed_words(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    steps = draw(st.lists(st.integers(1, 900), min_size=2 * len(lengths), max_size=2 * len(lengths)))
    at = [*accumulate(steps)]
    return [(" " + "x" * length, at[2 * n], at[2 * n + 1]) for n, length in enumerate(lengths)]


@given(timed_words(), st.booleans())
def test_times_in_order_are_taken_as_they_are(words: list[tuple[str, int, int]], audio_over: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    alignment = told(*words, audio_ms=words[-1][2] if audio_over else None)
    assert times(alignment.words()) == words


@given(timed_words())
def test_starts_in_order_are_taken_as_they_are(words: list[tuple[str, int, int]]) -> None:
    found = told(*((text, start, None) for text, start, _ in words)).words()
    assert [word.start_ms for word in found] == [start for _, start, _ in words]
    assert all(word.end_ms == following.start_ms for word, following in pairwise(found))


# ----------------------------------------------------------------------------------------------- times that are lacking


def test_without_any_times_it_is_the_estimate() -> None:
    plain = EvenAligner().begin(RATE)
    plain.add_text("No times at all")
    alignment = begun()
    alignment.add_text("No times at all")
    assert alignment.words() == plain.words()
    assert alignment.words()


def test_words_without_times_lie_between_their_neighbours_that_have_some() -> None:
    words = told(("One", 500, 700), (" two", None, None), (" three", None, None), (" four", 1700, 1900)).words()
    assert times(words) == [("One", 500, 700), (" two", 700, 1100), (" three", 1100, 1700), (" four", 1700, 1900)]
    assert [word.estimated for word in words] == [False, True, True, False]


def test_words_before_the_first_and_behind_the_last_that_has_a_time() -> None:
    fragments = (("One", None, None), (" two", 2000, 2300), (" three", None, None))
    before, two, behind = told(*fragments).words()
    assert (before.end_ms, two.start_ms, two.end_ms) == (2000, 2000, 2300)
    assert (behind.start_ms, behind.end_ms) == (2300, 2300 + 65 * len(" three")), "at the pace of the estimate"
    assert told(*fragments, audio_ms=2500).words()[-1].end_ms == 2500, "and it ends with its audio"


def test_text_that_goes_on_when_its_audio_is_over_keeps_its_pace() -> None:
    """There may be more of it in that audio; once there is none, it ends with it."""
    alignment = begun()
    alignment.add_timed_text("One", 500, 700)
    alignment.add_audio(bytes(900 * BYTES_PER_MS))
    alignment.end_audio()
    alignment.add_text(" two three ")
    assert [word.end_ms > 900 for word in alignment.words()] == [False, True, True]
    alignment.end_text()
    assert [word.end_ms for word in alignment.words()][::2] == [700, 900]


def test_a_word_that_begins_with_a_time_begins_there() -> None:
    hello, world = told(("Hel", 300, None), ("lo", None, None), (" world", 900, 1300)).words()
    assert (hello.start_ms, hello.end_ms, hello.estimated) == (300, 900, False)
    assert (world.start_ms, world.end_ms, world.estimated) == (900, 1300, False)


# ------------------------------------------------------------------------------------------------- times that are wrong


@pytest.mark.parametrize("wrong", [0, 100, 2500, 60_000, ABSURD, -1, -ABSURD])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_one_wrong_time_costs_no_other(wrong: int, at: int) -> None:
    right = [
        (" one", 400, 700),
        (" two", 800, 1200),
        (" three", 1300, 1600),
        (" four", 1700, 1900),
        (" five", 2000, 2300),
    ]
    fragments = [*right]
    fragments[at] = (right[at][0], wrong, wrong + 100)
    words = told(*fragments, audio_ms=2400).words()
    check_order(words)
    others = [n for n in range(5) if n != at]
    assert [times(words)[n] for n in others] == [right[n] for n in others]


def test_ends_that_overlap_give_way_to_the_next_start() -> None:
    words = told((" one", 400, 5000), (" two", 800, 700), (" three", 1300, 1300), audio_ms=2000).words()
    assert times(words) == [(" one", 400, 800), (" two", 800, 1300), (" three", 1300, 2000)]


def test_equal_starts_share_the_time() -> None:
    """Such as those of servers that tell when a sentence begins, with each of its words."""
    words = told((" one", 400, None), (" two", 400, None), (" three", 1800, None), audio_ms=2000).words()
    assert times(words) == [(" one", 400, 1100), (" two", 1100, 1800), (" three", 1800, 2000)]


def test_times_behind_the_end_of_the_audio_count_no_more() -> None:
    fragments = ((" one", 400, 700), (" two", 9000, 9500))
    assert times(told(*fragments).words()) == [*fragments]
    one, two = told(*fragments, audio_ms=1500).words()
    assert (one.start_ms, one.end_ms) == (400, 700)
    assert (two.start_ms, two.end_ms, two.estimated) == (700, 1500, True)


Pieces = list[tuple[str, int | None, int | None]]
MS = st.integers(-50, 4000) | st.sampled_from([0, ABSURD, -ABSURD])
TEXTS = st.text(alphabet="ab .,\n你好", max_size=9)
PIECES = st.lists(st.tuples(TEXTS, st.none() | MS, st.none() | MS), max_size=12)


@given(PIECES, st.lists(st.integers(0, 900), max_size=4), st.randoms(use_true_random=False))
def test_whatever_a_server_sends_words_are_in_order(pieces: Pieces, audio: list[int], chance: Any) -> None:
    """Nor is any text lost, or behind its audio once that is over; at every moment."""
    alignment, plain = begun(), EvenAligner().begin(RATE)

    def add_audio(ms: int) -> None:
        for each in (alignment, plain):
            each.add_audio(bytes(ms * BYTES_PER_MS))

    def add_text(text: str, start_ms: int | None, end_ms: int | None) -> None:
        plain.add_text(text)
        if start_ms is None:
            alignment.add_text(text)
        else:
            alignment.add_timed_text(text, start_ms, end_ms)

    steps: list[Callable[[], object]] = [lambda piece=piece: add_text(*piece) for piece in pieces]
    for ms in audio:
        steps.insert(chance.randint(0, len(steps)), lambda ms=ms: add_audio(ms))
    ends: list[Callable[[], object]] = [
        lambda: (alignment.end_text(), plain.end_text()),
        lambda: (alignment.end_audio(), plain.end_audio()),
    ]
    chance.shuffle(ends)
    for step in [*steps, *ends]:
        step()
        words = alignment.words()
        check_order(words)
        assert [word.text for word in words] == [word.text for word in plain.words()]
    assert "".join(word.text for word in alignment.words()) == "".join(text for text, _, _ in pieces)
    assert all(word.end_ms <= sum(audio) for word in alignment.words())


# ---------------------------------------------------------------------------------------------------- text that changes


ONE_TWO_THREE = ((" one", 400, 700), (" two", 800, 1200), (" three", 1300, 1600))


def test_the_same_text_again_changes_nothing() -> None:
    alignment = told(*ONE_TWO_THREE)
    alignment.replace_text(" one two three")
    assert times(alignment.words()) == [*ONE_TWO_THREE]


@pytest.mark.parametrize(
    ("text", "kept"), [(" one two trees", 2), (" one", 1), (" one two three four", 3), (" One two three", 0), ("", 0)]
)
def test_another_text_keeps_the_times_of_what_both_begin_with(text: str, kept: int) -> None:
    alignment = told(*ONE_TWO_THREE)
    alignment.replace_text(text)
    words = alignment.words()
    check_order(words)
    assert "".join(word.text for word in words) == text
    assert times(words)[:kept] == [*ONE_TWO_THREE][:kept]
    assert [word.estimated for word in words] == [n >= kept for n in range(len(words))]


def test_text_goes_on_behind_another_one() -> None:
    alignment = told(*ONE_TWO_THREE)
    alignment.replace_text(" one two and")
    alignment.add_timed_text(" four", 2000, 2100)
    assert times(alignment.words())[-1] == (" four", 2000, 2100)


@given(PIECES, TEXTS)
def test_whatever_replaces_it_is_in_order(pieces: Pieces, text: str) -> None:
    alignment = told(*pieces)
    so_far = "".join(text for text, _, _ in pieces)
    for other in (text, so_far[: len(so_far) // 2] + text):
        alignment.replace_text(other)
        check_order(alignment.words())
        assert "".join(word.text for word in alignment.words()) == other


# ----------------------------------------------------------------------------------------------------------------- cost


@pytest.mark.parametrize("back", [False, True], ids=["in order", "all going back"])
def test_a_fragment_more_costs_the_same_however_many_there_are(*, back: bool) -> None:
    """In lines of Python that are run; with what it costs to ask for the last word."""
    alignment = begun()

    def lines_of(n: int) -> int:
        lines = 0

        def count(frame: FrameType, event: str, _arg: object) -> Any:
            nonlocal lines
            lines += event == "line" and frame.f_code.co_filename.endswith("given.py")
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            alignment.add_timed_text(" word ", 100_000 - n if back else n, None)
            assert alignment.words()[-1].text.strip() == "word"
        finally:
            sys.settrace(before)
        return lines

    costs = [lines_of(n) for n in range(1000)]
    assert costs[2] == costs[-1] == max(costs)
