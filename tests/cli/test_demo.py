"""The main job, as people run it: the command in a process of its own, over a real websocket, at real pace."""

import json
import re
import wave
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from webvtt import WebVTT

from rtactors.cli.demo import INTERRUPTION, QUESTION
from rtactors.cli.report import Report
from tests.cli.command import rtactors, running, screen
from tests.cli.conftest import Demo

pytestmark = [pytest.mark.sockets, pytest.mark.xdist_group("demos")]  # in one process, so that they are run once

WAYS = ("plain", "terminal", "json", "voiceless")
SCHEMA = Path(__file__).parents[2] / "docs" / "demo-report.schema.json"


def report(demo: Demo) -> Report:
    return msgspec.json.decode((demo.output / "report.json").read_bytes(), type=Report, strict=True)


@pytest.mark.parametrize("way", WAYS)
def test_the_record_equals_what_was_heard(demos: dict[str, Demo], way: str) -> None:
    demo = demos[way]
    assert demo.code == 0, demo.out + demo.err
    found = report(demo)
    assert found.differences == []
    assert found.problems == []
    assert [message.state for message in found.messages] == ["full", "partial", "skipped", "full"]
    for message in found.messages:
        assert (message.server_ms or 0, message.history_ms or 0) == (message.heard_ms, message.heard_ms)
    full, partial, skipped, answer = found.messages
    assert full.heard_ms == full.generated_ms > 0
    assert answer.heard_ms == answer.generated_ms > 0
    assert 0 < partial.heard_ms < partial.generated_ms
    assert skipped.heard_ms == 0 < skipped.generated_ms


@pytest.mark.parametrize("way", WAYS)
def test_the_server_was_told_once_and_at_once(demos: dict[str, Demo], way: str) -> None:
    found = report(demos[way])
    full, partial, skipped, answer = found.messages
    [truncate], [delete], [interrupted] = partial.effects, skipped.effects, found.interrupted_at
    assert (truncate.kind, truncate.audio_end_ms) == ("truncate", partial.heard_ms)
    assert delete.kind == "delete"
    assert interrupted <= min(truncate.at, delete.at)
    assert full.effects == answer.effects == []


@pytest.mark.parametrize("way", WAYS)
def test_the_user_was_heard_by_the_server(demos: dict[str, Demo], way: str) -> None:
    found = report(demos[way])
    question, interruption = found.turns
    assert (question.text, interruption.text) == (QUESTION, INTERRUPTION)
    assert interruption.noticed_at
    assert interruption.started_at < interruption.noticed_at <= found.interrupted_at[0]
    if found.voice == "espeak":  # recognised by ear
        assert (question.recognized, interruption.recognized) == ("tell me a story", "wait who is ada")


@pytest.mark.parametrize("way", WAYS)
def test_messages_were_heard_one_after_the_other_each_with_its_own_times(demos: dict[str, Demo], way: str) -> None:
    full, partial, skipped, answer = report(demos[way]).messages
    times = [at for message in (full, partial, answer) for at in (message.started_at, message.stopped_at)]
    assert None not in times
    assert times == sorted(times, key=lambda at: at or 0)
    assert skipped.started_at is skipped.stopped_at is None
    # All was generated before the first message was over, as realtime models do.
    assert full.stopped_at
    assert all(made.generated_until and made.generated_until < full.stopped_at for made in (full, partial, skipped))


@pytest.mark.parametrize("way", WAYS)
def test_heard_wav_is_as_long_as_the_conversation(demos: dict[str, Demo], way: str) -> None:
    found = report(demos[way])
    with wave.open(str(demos[way].output / "heard.wav")) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, 24_000)
        seconds = recording.getnframes() / recording.getframerate()
        assert any(recording.readframes(recording.getnframes()))
    assert sum(message.heard_ms for message in found.messages) / 1000 < seconds <= found.duration_ms / 1000 + 1


@pytest.mark.parametrize("way", WAYS)
def test_subtitles_are_what_was_heard_when_it_was(demos: dict[str, Demo], way: str) -> None:
    demo = demos[way]
    subtitles = WebVTT.read(str(demo.output / "heard.vtt"), strict=True).captions
    words = {message.id: message.heard_text.split() for message in report(demo).messages if message.heard_ms}
    for message, heard in words.items():
        cues = [cue for cue in subtitles if cue.identifier and cue.identifier.startswith(f"{message} ")]
        assert [word for cue in cues for word in cue.text.split()] == heard
    assert sum(len(cue.text.split()) for cue in subtitles) == sum(map(len, words.values()))
    others = WebVTT.from_srt(str(demo.output / "heard.srt")).captions
    assert [(cue.start, cue.end, cue.text) for cue in others] == [(cue.start, cue.end, cue.text) for cue in subtitles]
    with wave.open(str(demo.output / "heard.wav")) as recording:
        first = recording.getframerate() * subtitles[0].start_time.in_milliseconds() // 1000
        a_moment = recording.getframerate() // 5
        assert not any(recording.readframes(first - a_moment))
        assert any(recording.readframes(2 * a_moment))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_left_behind_names_no_path_and_no_secret(demos: dict[str, Demo], way: str) -> None:
    demo = demos[way]
    assert sorted(file.name for file in demo.output.iterdir()) == [
        *("heard.srt", "heard.vtt", "heard.wav", "report.json", "timeline.svg")
    ]
    for name in ("heard.srt", "heard.vtt", "report.json", "timeline.svg"):
        text = (demo.output / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<!<)/[a-z]+/|127\.0\.0\.1|\w{43}", text.replace("http://www.w3.org/2000/svg", ""))
    ET.parse(demo.output / "timeline.svg")


def test_people_are_told_message_by_message(demos: dict[str, Demo]) -> None:
    out = demos["plain"].out
    steps = re.findall(r"message (\d  \w+)", out)
    assert [step for step in steps if not step.endswith("pending")] == [
        "1  playing",
        "1  full",
        "2  playing",
        "3  skipped",
        "2  partial",
        "4  playing",
        "4  full",
    ]
    assert sorted(step for step in steps if step.endswith("pending")) == [f"{number}  pending" for number in "1234"]
    assert out.count("the user speaks") == 2
    words = re.findall(r"^ +[\d.]+ s  (?!message|the user)(.*)$", out, re.MULTILINE)  # as they were heard
    heard = " ".join(message.heard_text for message in report(demos["plain"]).messages if message.heard_ms)
    assert " ".join(words).replace(" … ", " ") == heard
    for message in report(demos["plain"]).messages:
        heard = f"{message.heard_ms / 1000:.3f} s" if message.heard_ms else "-"
        assert re.search(rf"^ {message.number} {message.state} +{heard} +{heard} +{heard}( |$)", out, re.MULTILINE)
    assert "The record equals what was heard: 4 messages" in out
    assert "\x1b" not in out  # no terminal, no codes
    assert demos["plain"].err == ""


def test_on_a_terminal_the_messages_move_with_the_sound(demos: dict[str, Demo]) -> None:
    out = demos["terminal"].out
    assert len(set(re.findall(r"1 ▶ playing.*?([\d.]+) of", out))) > 10
    spoken = set(re.findall(r"\x1b\[1;4;36m(.*?)\x1b", out))
    assert len(spoken) > 10
    assert spoken <= {word for message in report(demos["terminal"]).messages for word in message.text.split()}
    shown = screen(out)
    assert all(len(line) < 80 for line in shown if re.match(r" \d ", line))
    for message, sign in zip(report(demos["terminal"]).messages, "●◐✕●", strict=True):
        [row] = [line for line in shown if line.startswith(f" {message.number} {sign} {message.state}")]
        assert f"{message.heard_ms / 1000:.3f} of" in row
        assert message.text[:20] in row
    assert [line.split("s  ")[1] for line in shown if re.match(r" +[\d.]+ s  ", line)] == [
        "the user speaks",
        "the user said: tell me a story"
        if report(demos["terminal"]).voice == "espeak"
        else f"the user said: {QUESTION}",
        "the user speaks",
        "the user said: wait who is ada"
        if report(demos["terminal"]).voice == "espeak"
        else f"the user said: {INTERRUPTION}",
    ]
    assert shown[-2].startswith("The record equals what was heard")


def test_a_record_that_is_not_what_was_heard_fails(demos: dict[str, Demo]) -> None:
    demo = demos["deaf"]
    found = report(demo)
    partial = found.messages[1]
    difference = f"the server keeps {partial.generated_ms} ms of message 2, but {partial.heard_ms} ms were heard"
    assert found.differences == [difference]
    assert f"differs: {difference}\n" in demo.out
    assert f"problem: {found.problems[0]}\n" in demo.out  # nothing came back from the server
    assert "The record differs from what was heard.\n" in demo.out
    assert (demo.code, demo.err) == (1, "")
    assert "the record differs in 1 point." in (demo.output / "timeline.svg").read_text(encoding="utf-8")


def test_programs_get_json_lines_and_the_report_last(demos: dict[str, Demo]) -> None:
    lines = [json.loads(line) for line in demos["json"].out.splitlines()]
    assert {"Transition", "MessageAnnounced", "MessageText", "UserStartedSpeaking", "UserSaid", "AgentSaid"} <= {
        line["type"] for line in lines
    }
    assert lines[-1] == json.loads((demos["json"].output / "report.json").read_text())
    assert demos["json"].err == ""


def test_without_the_extra_there_are_tones_and_a_word_about_it(demos: dict[str, Demo]) -> None:
    demo = demos["voiceless"]
    assert report(demo).voice == "tone"
    assert demo.err == (
        'rtactors: the extra "speech" is not installed, so you will hear tones; for a voice: '
        'pip install "rtactors[speech]"\n'
    )
    with_extra = find_spec("espeakng_loader") and find_spec("pocketsphinx")
    assert report(demos["plain"]).voice == ("espeak" if with_extra else "tone")


def test_the_schema_in_docs_is_that_of_the_report() -> None:
    schema = msgspec.json.schema(Report)
    assert json.loads(SCHEMA.read_text()) == schema, "write it again: make docs"


def test_an_output_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = rtactors("demo", "--output", tmp_path / "file" / "demo")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"rtactors: cannot write to {tmp_path}/file/demo (Not a directory): choose another folder with --output\n"
    )


def interrupted(folder: Path) -> str:
    return f"rtactors: interrupted: nothing was compared, {folder} is as it was\n"


def test_ctrl_c_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("earlier")
    with running("demo", "--output", tmp_path) as process:
        process.until("the user speaks")
        process.interrupt()
        result = process.end()
    assert (result.code, result.err) == (130, interrupted(tmp_path))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.json", "earlier")]


def test_who_stops_reading_leaves_no_folder_behind(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    with running("demo", "--output", folder) as process:
        process.until("the user speaks")
        process.stop_reading()
        result = process.end()
    assert (result.code, result.err) == (130, interrupted(folder))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_output_is_a_wrong_call() -> None:
    assert rtactors("demo", "--output", "") == (
        2,
        "",
        "rtactors demo: argument --output: it is empty; see rtactors demo --help\n",
    )
