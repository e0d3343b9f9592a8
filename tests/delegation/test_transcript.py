"""What was said and not yet told: nothing twice, nothing lost, in the order of the conversation."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors.delegation.transcript import MOST_CHARACTERS, MOST_ENTRIES, Line, Speaker, Transcript


def told(transcript: Transcript) -> list[str]:
    return [str(line) for line in transcript.take()]


def letters(text: str) -> list[str]:
    """What counts of it."""
    return [character.casefold() for character in text if character.isalnum()]


def test_pieces_add_up() -> None:
    transcript = Transcript()
    for piece in ("please run", " the", "", " tests"):
        transcript.add("u1", "user", piece)
    transcript.add("a1", "assistant", "On it")
    assert told(transcript) == ["user: please run the tests", "assistant: On it"]
    assert told(transcript) == []


def test_what_trails_goes_with_the_next() -> None:
    transcript = Transcript()
    transcript.add("u1", "user", "please run the tests")
    transcript.add("a1", "assistant", "On it")
    transcript.take()
    transcript.add("u1", "user", " on main")
    transcript.add("a1", "assistant", ", one sec.")
    assert told(transcript) == ["user: on main", "assistant: one sec."]


def test_a_late_completion_replaces_the_words_of_its_own_item() -> None:
    """openai/codex#35517: it came as a second copy of words that had been delivered."""
    transcript = Transcript()
    transcript.add("u1", "user", "please run the test")
    transcript.add("a1", "assistant", "On it.")
    transcript.add("u2", "user", "quickly")
    transcript.take()
    transcript.complete("u1", "user", "Please run the tests, on main.")
    assert told(transcript) == ["user: tests, on main."]
    transcript.complete("u1", "user", "Please run the tests, on main.")
    transcript.add("u1", "user", " on main")
    assert told(transcript) == []


def test_a_completion_before_it_is_taken_counts_once() -> None:
    transcript = Transcript()
    transcript.add("u1", "user", "pleas ran")
    transcript.complete("u1", "user", "Please run.")
    assert told(transcript) == ["user: Please run."]


def test_words_that_turned_out_otherwise_are_corrected() -> None:
    transcript = Transcript()
    transcript.add("u1", "user", "delete the beast")
    transcript.take()
    transcript.complete("u1", "user", "Delete the rest.")
    assert transcript.take() == (Line("user", "Delete the rest.", corrects=True),)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("First one, then two.", []),
        ("First one", ["assistant (correction): First one"]),
        ("", ["assistant (correction): (nothing of it was heard)"]),
    ],
)
def test_what_the_assistant_said_is_what_was_heard_of_it(heard: str, expected: list[str]) -> None:
    transcript = Transcript()
    transcript.add("a1", "assistant", "First one, then two.")
    transcript.take()
    transcript.complete("a1", "assistant", heard)
    assert told(transcript) == expected
    transcript = Transcript()
    transcript.add("a1", "assistant", "First one, then two.")
    transcript.complete("a1", "assistant", heard)
    assert told(transcript) == ([f"assistant: {heard}"] if heard else [])


def test_an_item_stands_where_it_began() -> None:
    transcript = Transcript()
    transcript.begin("u1", "user")
    transcript.add("a1", "assistant", "Yes?")
    transcript.complete("u1", "user", "Hello.")
    assert told(transcript) == ["user: Hello.", "assistant: Yes?"]


def test_words_that_were_told_in_another_way() -> None:
    transcript = Transcript()
    transcript.told("u1", "user", "please run the tests")
    assert told(transcript) == []
    for piece in ("please", " run the", " tests"):
        transcript.add("u1", "user", piece)
        assert told(transcript) == []
    transcript.complete("u1", "user", "Please run the tests on main.")
    assert told(transcript) == ["user: on main."]


def test_words_that_only_seemed_to_be_told() -> None:
    transcript = Transcript()
    transcript.told("u2", "user", "please run the tests")
    transcript.complete("u2", "user", "Thank you.")
    assert told(transcript) == ["user: Thank you."]
    transcript.add("u3", "user", "mine")
    transcript.told("u3", "user", "other")
    assert told(transcript) == ["user: mine"]


def test_scripts_without_spaces() -> None:
    transcript = Transcript()
    transcript.add("u1", "user", "請執行")
    transcript.take()
    transcript.add("u1", "user", "測試")
    assert told(transcript) == ["user: 測試"]


def test_what_it_remembers_is_bounded() -> None:
    transcript = Transcript()
    for number in range(MOST_ENTRIES + 10):
        transcript.add(f"u{number}", "user", f"word {number}")
    lines = transcript.take()
    assert len(lines) == MOST_ENTRIES
    assert lines[-1].text == f"word {MOST_ENTRIES + 9}"
    transcript.add("long", "user", "x" * MOST_CHARACTERS * 2)
    (line,) = transcript.take()
    assert len(line.text) == MOST_CHARACTERS
    transcript.add("next", "user", "y")
    transcript.complete("long", "user", "")
    assert told(transcript) == ["user: y"]


WORDS = st.lists(st.text("abcdeé", min_size=1, max_size=6), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.sampled_from(["u1", "u2", "a1"]), WORDS, st.booleans()), max_size=12))
def test_each_word_is_told_once(steps: list[tuple[str, list[str], bool]]) -> None:
    """Words that come in whole pieces, taken at any time between them."""
    transcript = Transcript()
    said: dict[str, list[str]] = {"u1": [], "u2": [], "a1": []}
    lines: list[Line] = []
    for item_id, words, take in steps:
        role: Speaker = "assistant" if item_id == "a1" else "user"
        transcript.add(item_id, role, " " + " ".join(words))
        said[item_id] += words
        if take:
            lines += transcript.take()
    transcript.complete("u1", "user", " ".join(said["u1"]).upper() + ".")
    lines += transcript.take()
    assert not any(line.corrects for line in lines)
    everything = sorted(word.casefold() for words in said.values() for word in words)
    assert sorted(word.strip(".").casefold() for line in lines for word in line.text.split()) == everything
    assert transcript.take() == ()


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_pieces_of_any_kind_add_up_to_the_text(text: str, cuts: list[int]) -> None:
    """A word that was cut is given whole again: so what is told last ends as the text does."""
    transcript = Transcript()
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines: list[Line] = []
    for start, stop in pairwise(places):
        transcript.add("u1", "user", text[start:stop])
        lines += transcript.take()
    transcript.complete("u1", "user", text)
    assert transcript.take() == ()
    if letters(text):
        assert letters(text)[-len(letters(lines[-1].text)) :] == letters(lines[-1].text)
        assert sum(len(letters(line.text)) for line in lines) >= len(letters(text))


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_completion_is_the_agent_knows_it_in_the_end(before: str, after: str) -> None:
    transcript = Transcript()
    transcript.add("u1", "user", before)
    first = transcript.take()
    transcript.complete("u1", "user", after)
    second = transcript.take()
    if second and second[0].corrects:
        assert second[0].text == after.strip()
    elif second:
        assert after.strip().endswith(second[0].text)
        assert letters(second[0].text)
    else:
        assert letters(before) == letters(after)
    assert len(first) + len(second) <= 2
