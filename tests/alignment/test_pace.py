"""How much of a text is spoken in some time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.alignment.pace import spoken_in


@pytest.mark.parametrize(
    ("text", "ms", "expected"),
    [
        ("one two three", 0, ""),
        ("one two three", 600, "one two"),
        ("one two three", 60_000, "one two three"),
        ("one, two", 600, "one,"),  # a pause is behind it
        ("昔々、あるところに灯台がありました。", 1600, "昔々、あるところに"),
    ],
)
def test_it_ends_at_a_word(text: str, ms: int, expected: str) -> None:
    assert spoken_in(text, ms) == expected


@given(st.text(), st.integers(0, 60_000), st.integers(0, 60_000))
def test_more_time_is_never_less_text(text: str, one: int, other: int) -> None:
    less, more = (spoken_in(text, ms) for ms in sorted((one, other)))
    assert text.startswith(more)
    assert more.startswith(less)
