"""Where a message is broken into cues, and when they stand on the screen."""

import pytest
from msgspec.structs import replace

from rtactors.session_events import Caption
from rtactors.subtitles import Cue, Cues
from tests.subtitles.heard import ended, heard

SENTENCES = "Ada kept the lighthouse. Every evening she counted the ships."
LONG = "Every evening she counted the ships that passed by the island, and wrote them in a book that nobody read"


def text_of(cue: Cue) -> str:
    return "\n".join("".join(" " * word.spaced + word.text for word in line).strip() for line in cue.lines)


def texts(text: str, gaps: dict[int, float] | None = None) -> list[str]:
    return [text_of(cue) for cue in Cues(0).of(heard(text, gaps=gaps))]


def times(cues: list[Cue]) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in cues]


# ---------------------------------------------------------------------------------------------------------------- where


def test_each_sentence_is_a_cue() -> None:
    assert texts(SENTENCES) == ["Ada kept the lighthouse.", "Every evening she counted the ships."]


def test_a_sentence_that_is_too_short_to_be_read_stands_with_the_next() -> None:
    assert texts("Yes. It does rain in Oslo today.") == ["Yes. It does rain in Oslo today."]


@pytest.mark.parametrize(
    "text", ["It cost 3.50 in J. S. Bach's time", "It was (e.g. by sea) far away", "Wait ... what"]
)
def test_not_every_full_stop_ends_a_sentence(text: str) -> None:
    assert texts(text) == [text]


def test_a_sentence_ends_behind_its_quotation_mark() -> None:
    assert texts("She said: “I shall stay here.” Nobody had asked her to.")[0].endswith("here.”")


def test_a_pause_breaks() -> None:
    text = "one evening they all came back from the sea"
    assert texts(text) == ["one evening they all\ncame back from the sea"]
    assert texts(text, gaps={4: 0.6}) == ["one evening they all", "came back from the sea"]


def test_no_cue_stands_through_silence() -> None:
    first, second = Cues(0).of(heard("one two three", gaps={1: 60.0}))
    assert (text_of(first), first.end_ms) == ("one", 180)
    assert (text_of(second), second.start_ms) == ("two three", 60_180)


def test_a_long_sentence_is_broken_at_a_clause() -> None:
    first, second = texts(LONG)
    assert first == "Every evening she counted the\nships that passed by the island,"
    assert second == "and wrote them in a book that nobody read"


def test_without_a_clause_the_cues_are_about_as_long_as_one_another() -> None:
    lengths = [len(text) for text in texts("word " * 40)]
    assert len(lengths) > 1
    assert max(lengths) - min(lengths) <= 25


def test_what_does_not_fit_on_a_line_stands_on_two_of_about_the_same_length() -> None:
    assert texts("Every evening she counted the ships at sea") == ["Every evening she counted the ships at sea"]
    assert texts("Every evening she counted the ships at sea.") == ["Every evening she\ncounted the ships at sea."]


def test_wide_characters_have_shorter_lines_and_no_mark_begins_one() -> None:
    [cue] = texts("今日は東京で雨が降っていますから、傘を忘れないでくださいね。")
    first, second = cue.split("\n")
    assert max(len(first), len(second)) <= 16
    assert first == "今日は東京で雨が降っていますから、"[: len(first)]
    assert first[-1] == "、" or second[0] not in "、。っ"


def test_scripts_that_combine_are_as_wide_as_they_look() -> None:
    [line] = texts("नमस्ते " * 7)  # Hindi: 7 characters in 5 columns
    assert len(line) > 42
    assert "\n" not in line


def test_text_that_is_written_from_the_right_is_left_as_it_is() -> None:
    assert texts("שלום, מה שלומך היום?") == ["שלום, מה שלומך היום?"]


def test_a_word_that_is_longer_than_a_line_is_not_broken() -> None:
    word = "x" * 60
    assert texts(f"See {word} for more")[0] in {f"See\n{word}", f"See {word}"}


def test_white_space_is_one_space_and_controls_are_none() -> None:
    words = [
        Caption("m", text, 0, 100, 0.0, estimated=True) for text in ("\n\none", "  two\n\n", "three\x1b[2J", " \t")
    ]
    [cue] = Cues(0).of(ended(words))
    assert text_of(cue) == "one two three [2J"


# --------------------------------------------------------------------------------------------------------- how it ended


def test_nothing_was_heard() -> None:
    assert Cues(0).of(ended([], cut=" —")) == []


def test_it_was_cut() -> None:
    event = heard("Ada kept the", cut=" —")
    assert [text_of(cue) for cue in Cues(0).of(event)] == ["Ada kept the —"]


def test_what_stands_behind_a_message_that_was_not_cut_is_no_mark() -> None:
    event = replace(heard("Ada kept the lighthouse."), text="Ada kept the lighthouse. Look: [a picture]")
    assert [text_of(cue) for cue in Cues(0).of(event)] == ["Ada kept the lighthouse."]


# ----------------------------------------------------------------------------------------------------------------- when


def test_times_count_from_the_beginning_of_the_file() -> None:
    first, second = Cues(100.0).of(heard(SENTENCES, at=102.5))
    assert (first.start_ms, second.end_ms) == (2500, 2500 + 60 * len(SENTENCES))
    assert first.end_ms == second.start_ms == second.lines[0][0].start_ms


def test_a_word_ends_with_its_audio_though_playing_was_paused_behind_it() -> None:
    first, second = Cues(0).of(heard(SENTENCES, gaps={4: 1.0}))
    assert second.start_ms - first.end_ms == 1000


def test_what_was_heard_before_the_file_began_is_put_at_its_beginning() -> None:
    [cue] = Cues(2.0).of(heard("one two three four", at=1.0))
    assert (cue.start_ms, [word.start_ms for word in cue.lines[0]]) == (0, [0, 0, 0, 0])
    assert cue.end_ms == 300


def test_messages_that_are_told_in_another_order_do_not_overlap() -> None:
    cues = Cues(0)
    found = [*cues.of(heard("one two", at=5.0)), *cues.of(heard("three four", at=0.0))]
    assert times(found) == [(5000, 5420), (5420, 5720)]
    assert [cue.number for cue in found] == [1, 2]
