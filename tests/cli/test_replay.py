"""`rtactors replay`, as people run it, on recordings of conversations in virtual time, of a demo and of a talk."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from webvtt import WebVTT

from rtactors.pipeline import Pipeline, Stage
from rtactors.recording import lines, read_recording
from tests.cli.command import COMMAND, Result, rtactors, running, screen
from tests.cli.conftest import IN_TERMINAL, Demo
from tests.recording.recorded import changed, crashed, record

SAME = r"The replay is what was recorded: \d+ events, \d+ items in the history, no difference\.\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recordings") / "call.jsonl"
    file.write_bytes(record())
    return file


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server is said to have been told to cut elsewhere."""

    def change(events: list[dict[str, Any]]) -> None:
        truncate = next(event for event in events if event.get("mail", {}).get("type") == "TruncateItem")
        truncate["mail"]["audio_end_ms"] = 77

    file = tmp_path_factory.mktemp("tampered") / "call.jsonl"
    file.write_bytes(changed(record(), change))
    return file


def rows(result: Result) -> list[str]:
    """The events that were shown."""
    assert (result.code, result.err) == (0, "")
    return [line for line in result.out.splitlines() if re.match(r" *\d+ ", line)]


def test_a_log_has_a_line_for_each_event(file: Path) -> None:
    result = rtactors("replay", file)
    assert len(rows(result)) == len(read_recording(file).events)
    assert re.search(rf"\n{SAME}$", result.out)
    for line in (
        r" +\d+ +0\.000  transport +connection 1: receive session\.created event_id=event_\d+",
        r" +\d+ +0\.000  app +to context: AddItem\(item=Item\(id=rt_user_1, role=user, text='Tell me a story\.'\).*",
        r" +\d+ +0\.000  context +takes AddItem \(\d+\)",
        r" +\d+ +0\.000  context +item item_\d+: Keep\(.*\): present -> truncating / SendTruncate\(.*\)",
        r" +\d+ +0\.000  message item_\d+ +device: write item_\d+ \d+ bytes",
        r" +\d+ +0\.000  app +it is over; the history has 3 items",
    ):
        assert re.search(rf"^{line}$", result.out, re.MULTILINE), line


def test_check_says_it_in_one_line_only(file: Path) -> None:
    result = rtactors("replay", file, "--check")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(SAME, result.out)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--actor", "sink", "--kind", "device"], r"sink +device: (begin|finish|clear) .*"),
        (
            ["--actor", "message", "--type", "PlaybackFinished"],
            r"message item_\d+ +message item_\d+: PlaybackFinished.*",
        ),
        (["--kind", "published", "--type", "UserStartedSpeaking,AgentSaid"], r".* shows (UserStarted|AgentSaid).*"),
        (["--id", "rt_reply_2", "--kind", "reminder"], r"response +wants in .* s: .*life_id=rt_reply_2.*"),
        (["--from", "1"], None),
        (["--until", "-1"], None),
    ],
)
def test_events_are_chosen(file: Path, options: list[str], expected: str | None) -> None:
    shown = [re.sub(r"^ *\d+ +[\d.]+  ", "", row) for row in rows(rtactors("replay", file, *options))]
    assert all(re.fullmatch(expected, row) for row in shown) if expected else not shown
    assert 0 < len(shown) < 20 or expected is None


def test_a_difference_is_told(tampered: Path) -> None:
    result = rtactors("replay", tampered, "--check")
    assert (result.code, result.err) == (1, "")
    assert re.fullmatch(
        r"The replay is not what was recorded, from event \d+ of \d+ on:\n"
        r"  event:    context to transport: TruncateItem\(.*audio_end_ms=77\) \(urgent\)\n"
        r"  field:    mail\.audio_end_ms\n  recorded: 77\n  replayed: \d+\n",
        result.out,
    )


def test_a_log_ends_where_the_difference_is(tampered: Path) -> None:
    result = rtactors("replay", tampered)
    *log, last = [int(row.split()[0]) for row in result.out.splitlines() if re.match(r" *\d+ +\d", row)]
    assert log == list(range(1, last))
    assert f"from event {last + 1} of " in result.out


def test_a_torn_recording_is_said_to_be_one(file: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(file.read_bytes()[:-100])
    result = rtactors("replay", torn, "--check")
    assert result.code == 0
    assert result.out.startswith(
        "The last line is torn, and was left away: the process ended, or the disk was full.\n"
        "The recording has no end: the process ended before the session did, or the disk was full.\n"
    )


def test_a_crash_is_said(tmp_path: Path) -> None:
    file = tmp_path / "crash.jsonl"
    file.write_bytes(crashed())
    result = rtactors("replay", file, "--check")
    assert result.code == 0
    assert re.match(r"Event \d+: sink crashes: OSError: no way to finish item_\d+\n", result.out)


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
def test_subtitles_are_what_was_heard(file: Path, tmp_path: Path, suffix: str) -> None:
    captions = tmp_path / f"call{suffix}"
    result = rtactors("replay", file, "--captions", captions)
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(SAME, result.out)
    read = WebVTT.read(str(captions)) if suffix == ".vtt" else WebVTT.from_srt(str(captions))
    events = [recorded.event for recorded in read_recording(file).events]
    [over] = [event for event in events if isinstance(event, lines.Over)]
    heard = [item["heard_text"] for item in over.history if item.get("role") == "assistant"]
    assert " ".join(cue.text.replace("\n", " ") for cue in read.captions) == " ".join(heard)


def test_subtitles_of_another_kind_are_a_wrong_call(file: Path, tmp_path: Path) -> None:
    result = rtactors("replay", file, "--captions", tmp_path / "call.txt")
    assert (result.code, result.out) == (2, "")
    assert "let it end with .vtt or .srt" in result.err


# ---------------------------------------------------------------------------------------------------------------- steps

STEPS = ("--step", "--kind", "published", "--type", "PlaybackStarted,PlaybackFinished", "--actor", "message")


def steps(out: str) -> list[list[str]]:
    """What was shown up to each prompt, without the prompt."""
    return [step.splitlines() for step in re.split(r"Enter: next.*?> ", "\n".join(screen(out)))]


def test_each_step_shows_how_things_stand(file: Path) -> None:
    result = rtactors("replay", file, *STEPS, stdin="\n\n\n\n")
    first, second, third, fourth, end = steps(result.out)
    assert (result.code, result.err) == (0, "")
    assert "PlaybackStarted" in first[0]
    state = {kind: rest for kind, *rest in map(str.split, first[1:])}
    assert state["item"] == ["rt_user_1", "present,", "item_000002", "present"]
    assert state["response"] == ["rt_reply_2", "active"]
    assert state["message"] == ["item_000002", "playing"]
    assert state["user"] == ["Tell", "me", "a", "story."]
    assert "full" in second[0]
    assert "playing" in third[0]
    assert re.search(r"assistant +The first message\. \(1080 of 1080 ms\)$", fourth[-1])
    assert re.fullmatch(SAME, f"{end[0]}\n")


def test_steps_can_be_left_out_or_broken_off(file: Path) -> None:
    events = read_recording(file).events
    result = rtactors("replay", file, "--step", stdin=f"{len(events) - 1}\nnonsense\n\n\n")
    assert result.code == 0
    assert result.out.count("quit > ") == 4
    assert re.search(SAME, result.out)
    for stdin in ("q\n", ""):
        result = rtactors("replay", file, "--step", stdin=stdin)
        assert (result.code, result.out.count("quit > ")) == (0, 1)
        assert not re.search(SAME, result.out)
    result = rtactors("replay", file, "--step", stdin="e\n")
    assert result.out.count("quit > ") == 1
    assert re.search(SAME, result.out)


def test_ctrl_c_ends_the_steps(file: Path) -> None:
    with running("replay", file, "--step") as process:
        process.until("quit > ")
        process.interrupt()
        result = process.end()
    assert (result.code, result.err) == (130, "")


def test_steps_on_a_terminal(file: Path) -> None:
    command = [sys.executable, IN_TERMINAL, *COMMAND, "replay", file, *STEPS]
    process = subprocess.run(
        command,
        input="\nq\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm"},
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "\x1b[1m" in process.stdout
    first, second, rest = steps(process.stdout)
    assert len(first[0]) < 80
    assert "PlaybackStarted" in first[0]
    assert second
    assert rest == []


# --------------------------------------------------------------------------------------------------------------- export

TAMPERING = """
from statecharts import message
from statecharts.chart import Chart

whole = message.MESSAGE
message.MESSAGE = Chart(
    whole.name,
    states={state: prose for state, prose in whole.states.items() if state not in whole.final},
    final={state: whole.states[state] for state in whole.final},
    edges=[edge._replace(effects=()) if edge.target == "partial" else edge for edge in whole.edges],
    ignored=whole.ignored,
)
"""
"""A message that was cut neither is cut at the server nor stands in the history."""


def pytest_in(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=50)


def test_an_exported_test_runs_by_itself_and_finds_other_behaviour(file: Path, tmp_path: Path) -> None:
    test = tmp_path / "test_call_of_today.py"
    result = rtactors("replay", file, "--export", test)
    assert result == (0, f"{test} replays {tmp_path / 'test_call_of_today.jsonl'}: run it with pytest\n", "")
    run = pytest_in(tmp_path)
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout
    (tmp_path / "conftest.py").write_text(TAMPERING)
    run = pytest_in(tmp_path)
    assert run.returncode == 1, run.stdout
    assert re.search(
        r"Differs: the replay is not what was recorded, from here on: event \d+ \(message item_", run.stdout
    )


def test_an_exported_crash_says_so(tmp_path: Path) -> None:
    file = tmp_path / "test_crash.jsonl"
    file.write_bytes(crashed())
    assert rtactors("replay", file, "--export", tmp_path / "test_crash.py").code == 0  # where the recording is already
    assert ", and ended because the sink actor raised OSError." in (tmp_path / "test_crash.py").read_text()
    assert pytest_in(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("call.py", r"pytest would not find call\.py: name it test_<something>\.py"),
        (
            "missing/test_call.py",
            r"cannot write to .*test_call\.py \(No such file or directory\): choose another --export",
        ),
    ],
)
def test_where_a_test_cannot_be_written(file: Path, tmp_path: Path, name: str, said: str) -> None:
    result = rtactors("replay", file, "--export", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(rf"rtactors: {said}\n", result.err)


# -------------------------------------------------------------------------------------------------------- in real time


@pytest.mark.sockets
@pytest.mark.xdist_group("demos")
def test_a_demo_is_recorded(demos: dict[str, Demo]) -> None:
    file = demos["plain"].output.parent / "call.jsonl"
    result = rtactors("replay", file, "--check")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(SAME, result.out)


@pytest.mark.sockets
@pytest.mark.parametrize("audio", [True, False])
def test_a_talk_is_recorded(tmp_path: Path, *, audio: bool) -> None:
    file = tmp_path / "call.jsonl"
    options = [] if audio else ["--no-recorded-audio"]
    with running("talk", "--no-audio", "--record", file, *options) as talk:
        talk.type("Tell me a story.\n")
        talk.until("model    Ada")
        talk.type("\n/quit\n")
        assert talk.end().code == 0
    result = rtactors("replay", file, "--check")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(SAME, result.out)
    assert (b'"crc32"' in file.read_bytes()) == audio


def test_a_session_that_had_a_pipeline(tmp_path: Path) -> None:
    """What stood in it is code of the app's."""
    file = tmp_path / "call.jsonl"
    file.write_bytes(record(session={"pipeline": Pipeline(message=(Stage, Stage))}))
    result = rtactors("replay", file, "--check")
    assert (result.code, result.out) == (2, "")
    assert "a session with Stage before message, Stage 2 before message in its pipeline" in result.err
    assert "rtactors.testing.replay.replay(file, pipeline=...) takes the Pipeline that the session had" in result.err
