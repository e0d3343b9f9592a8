"""The files, read again by somebody else's parser."""

import re
from collections.abc import Sequence
from html import unescape
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from webvtt import WebVTT as Parser

from rtactors import ConfigurationError
from rtactors.session_events import Caption, CaptionsEnded, MessageText
from rtactors.subtitles import Cues, SubtitleFile, srt, webvtt
from rtactors.subtitles.cues import COLUMNS, LONGEST_MS
from tests.subtitles.heard import ended, heard

STAMP = re.compile(r"<(\d\d+):([0-5]\d):([0-5]\d)\.(\d{3})>")
PIECES = [
    "One",
    "two,",
    "three.",
    "«four»",
    "a & b",
    "<b>",
    "-->",
    "{\\an8}",
    "12",
    "今日",
    "は、",
    "שלום",
    "\u0928\u092e\u0938",
    "👍",
    "x" * 50,
]


def as_webvtt(events: Sequence[CaptionsEnded], began: float = 0.0) -> str:
    cues = Cues(began)
    return "WEBVTT\n\n" + "".join(webvtt(cue) for event in events for cue in cues.of(event))


def as_srt(events: Sequence[CaptionsEnded], began: float = 0.0) -> str:
    cues = Cues(began)
    return "".join(srt(cue) for event in events for cue in cues.of(event))


# ---------------------------------------------------------------------------------------------------------- to the byte


def test_webvtt_has_the_time_of_each_word_and_the_message_of_each_cue() -> None:
    assert as_webvtt([heard("One two. Three four five six.", at=3600.5, message_id="item_1")]) == (
        "WEBVTT\n\n"
        "item_1 1\n01:00:00.500 --> 01:00:02.240\n"
        "One <01:00:00.680>two. <01:00:00.980>Three <01:00:01.340>four <01:00:01.640>five <01:00:01.940>six.\n\n"
    )


def test_srt() -> None:
    assert as_srt(
        [heard("One two.", at=3600.5), heard("Three, four five six and seven; eight, nine or ten.", at=3605)]
    ) == (
        "1\n01:00:00,500 --> 01:00:00,980\nOne two.\n\n"
        "2\n01:00:05,000 --> 01:00:08,060\nThree, four five six and seven;\neight, nine or ten.\n\n"
    )


def test_what_webvtt_would_take_for_markup() -> None:
    text = as_webvtt([heard("AT&T <b>x</b> a --> b &amp;")])
    assert STAMP.sub("", text).endswith("\nAT&amp;T &lt;b&gt;x&lt;/b&gt; a --&gt; b &amp;amp;\n\n")


def test_what_srt_would_take_for_markup() -> None:
    text = as_srt([heard("a < b <i>x</i> a --> b {\\an8} {x}")])
    assert text.endswith("\na < b <\u2060i>x<\u2060/i> a --\u2060> b {\u2060\\an8} {x}\n\n")


def test_an_id_cannot_be_taken_for_a_time() -> None:
    assert "\na-- b 1\n" in as_webvtt([heard("One", message_id="a-->\nb")])


# ----------------------------------------------------------------------------------------------------------- read again


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


messages = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([" ", " ", "", "\n\n"]),
            st.sampled_from(PIECES) | st.text(min_size=1, max_size=12),
            st.integers(0, 900),  # ms that it takes
            st.sampled_from([0, 0, 0, 30, 700, 4000]),  # ms before it in which nothing is heard
            st.floats(-0.2, 0.2),  # s by which the device errs
        ),
        max_size=40,
    ),
    max_size=3,
)


def told(message: list[tuple[str, str, int, int, float]], number: int) -> CaptionsEnded:
    words: list[Caption] = []
    at, start = number * 20.0, 0
    for space, text, ms, pause, error in message:
        at += pause / 1000
        words.append(Caption(f"m{number}", space + text, start, start + ms, at + error, estimated=True))
        at, start = at + ms / 1000, start + ms
    return ended(words, message_id=f"m{number}")


def plain(text: str) -> str:
    """What of a text can be read, without the white space, which a line's end may stand for."""
    return "".join(character for character in text if character.isprintable() and not character.isspace())


@given(messages)
def test_whatever_was_heard_both_files_hold_all_of_it_in_order(
    made: list[list[tuple[str, str, int, int, float]]],
) -> None:
    events = [told(message, number) for number, message in enumerate(made)]
    words = [word for event in events for word in event.words]
    text = as_webvtt(events)
    cues = Parser.from_string(text, strict=True).captions
    assert len(cues) == text.count(" --> ")
    said = plain("".join(unescape(STAMP.sub("", cue.raw_text)) for cue in cues))
    assert said == plain("".join(word.text for word in words))
    end = 0.0
    for cue in cues:
        begin, last = seconds(cue.start), end
        end = seconds(cue.end)
        assert last <= begin < end <= begin + LONGEST_MS / 1000 + 1e-6
        stamps = [seconds(f"{found[1]}:{found[2]}:{found[3]}.{found[4]}") for found in STAMP.finditer(cue.raw_text)]
        assert all(one < other for one, other in pairwise([begin, *stamps, end]))
        lines = unescape(STAMP.sub("", cue.raw_text)).split("\n")
        assert len(lines) <= 2
        assert all(
            columns(line) <= COLUMNS or any(columns(word) > COLUMNS for word in [*line.split(), line]) for line in lines
        )
    if cues:
        again = Parser.from_buffer(StringIO(as_srt(events)), format="srt", strict=True).captions
        assert [(cue.start, cue.end) for cue in again] == [(cue.start, cue.end) for cue in cues]
        assert plain("".join(cue.raw_text for cue in again).replace("\u2060", "")) == said.replace("\u2060", "")


def columns(text: str) -> float:
    return sum(COLUMNS / 16 if east_asian_width(character) in "WF" else 1 for character in text)


# --------------------------------------------------------------------------------------------------------------- a file


@pytest.mark.parametrize(("name", "head"), [("call.vtt", "WEBVTT\n\nm 1\n"), ("call.SRT", "1\n")])
def test_a_file_grows_with_each_message(tmp_path: Path, name: str, head: str) -> None:
    file = tmp_path / name
    file.write_text("what was there before")
    with SubtitleFile(file, began=0.0) as subtitles:
        subtitles.write(MessageText("m", "One two."))
        assert "before" not in file.read_text()
        subtitles.write(heard("One two."))
        first = file.read_text(encoding="utf-8")
        assert first.startswith(head)
        subtitles.write(heard("Drei — vier.", at=2.0))
        assert file.read_text(encoding="utf-8").startswith(first)
    assert file.read_text(encoding="utf-8").count(" --> ") == 2


def test_a_text_that_no_encoding_has_is_written_all_the_same(tmp_path: Path) -> None:
    with SubtitleFile(tmp_path / "call.srt", began=0.0) as subtitles:
        subtitles.write(heard("One \ud800 two"))
    assert (tmp_path / "call.srt").read_text(encoding="utf-8").endswith("One ? two\n\n")


@pytest.mark.anyio
async def test_it_counts_from_when_it_was_made(tmp_path: Path) -> None:
    with SubtitleFile(tmp_path / "call.srt") as subtitles:
        subtitles.write(heard("One", at=anyio.current_time() + 1))
    assert "00:00:01,000 --> 00:00:01,180" in (tmp_path / "call.srt").read_text()


@pytest.mark.parametrize("name", ["call.txt", "call", "nowhere/call.vtt", "call\0.vtt"])
def test_a_name_that_will_not_do_is_told_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"let it end with \.vtt or \.srt|choose another (file|name)"):
        SubtitleFile(tmp_path / name, began=0.0)
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_it_needs_where_no_loop_runs(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="make it within that, or pass `began`"):
        SubtitleFile(tmp_path / "call.vtt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("began", ["now", True, float("nan"), float("inf")])
def test_a_beginning_that_is_no_moment_is_told_at_once(tmp_path: Path, began: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="began"):
        SubtitleFile(tmp_path / "call.vtt", began=began)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_file_is_told_by_its_name(tmp_path: Path) -> None:
    with SubtitleFile(tmp_path / "call.vtt", began=0.0) as subtitles:
        pass
    with pytest.raises(ValueError, match=r"call\.vtt is closed"):
        subtitles.write(heard("One"))
