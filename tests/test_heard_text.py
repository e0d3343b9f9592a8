"""Where the text of an interrupted message ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.heard_text import MS_PER_CHARACTER, heard_text

TEXT = "one two three four five"


@pytest.mark.parametrize(
    ("heard_ms", "expected"),
    [(0, ""), (100, ""), (400, "one"), (800, "one two"), (1290, "one two"), (1400, "one two three"), (2300, TEXT)],
)
def test_it_ends_at_a_word(heard_ms: int, expected: str) -> None:
    assert heard_text(TEXT, heard_ms, 2300, complete=True) == expected


def test_scripts_without_spaces_have_their_words_too() -> None:
    assert heard_text("昔々、あるところに灯台がありました。", 900, 1800, complete=True) == "昔々、あるところに"
    assert heard_text("one\u00a0two\tthree", 400, 1000, complete=True) == "one"


def test_text_ahead_of_its_audio_is_reckoned_by_the_pace_of_speech() -> None:
    assert heard_text(TEXT, 500, 500, complete=False) == "one two"
    assert heard_text(TEXT, 500, 500, complete=True) == TEXT
    assert heard_text(TEXT, 10_000, 10_000, complete=False) == TEXT
    assert len(TEXT) * MS_PER_CHARACTER > 500


@given(st.text(), st.integers(0, 60_000), st.integers(0, 60_000), st.booleans())
def test_it_is_always_a_beginning(text: str, heard_ms: int, generated_ms: int, complete: bool) -> None:  # noqa: FBT001 - hypothesis gives positional arguments
    assert text.startswith(heard_text(text, heard_ms, generated_ms, complete=complete))


@given(st.text(), st.lists(st.integers(0, 5000), min_size=2, max_size=2), st.integers(1, 5000))
def test_more_heard_is_never_less_text(text: str, heard: list[int], generated_ms: int) -> None:
    less, more = sorted(heard)
    assert len(heard_text(text, less, generated_ms, complete=True)) <= len(
        heard_text(text, more, generated_ms, complete=True)
    )
