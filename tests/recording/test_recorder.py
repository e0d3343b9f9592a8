"""What a recorder keeps, and what it does when it can't."""

import os
import signal
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from rtactors import Bounds, ConfigurationError, Deadlines, Session
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder, read_recording, tapped
from rtactors.recording import writer as writing
from rtactors.recording.lines import Incomplete, Published
from rtactors.session_events import Problem, SessionEvent, Unhandled
from rtactors.sinks import MemorySink
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import Conversation, conversation
from rtactors.testing.replay import replay
from tests.recording.recorded import TWO, asked, interrupted, lines, record

ROOT = Path(__file__).parents[2]


def test_everything_in_and_out_is_there_in_order() -> None:
    events = lines(record())
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    sent = {event["n"]: event for event in events if event["kind"] == "sent"}
    taken = [event for event in events if event["kind"] == "taken"]
    assert all(sent[event["sent"]]["to"] == event["who"] for event in taken)
    assert {event["sent"] for event in taken} <= {n for n, event in sent.items() if "lost" not in event}
    assert len({event["sent"] for event in taken}) == len(taken) > len(events) / 5


def test_who_did_it_is_known() -> None:
    events = lines(record())

    def senders(what: str) -> set[str]:
        return {event["who"] for event in events if event["kind"] == "sent" and event["mail"]["type"] == what}

    assert senders("AddItem") == senders("AppendAudio") == {"app"}
    assert senders("WhenSilent") == {"app", "context", "turn"}  # who pass it on
    assert senders("Finished") == {"device", "sink"}  # which passes it on
    assert senders("CreateItem") == {"context"}
    assert senders("AudioDelta") == {"transport"}
    assert all(sender.startswith("message item_") for sender in senders("Truncate"))
    written = [event for event in events if event["kind"] == "device" and event["call"] == "write"]
    assert written
    assert all(event["who"] == f"message {event['message_id']}" for event in written)


def test_without_a_recorder_nothing_of_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("it was not asked for")

    for each in (
        tapped.TappedInbox,
        tapped.TappedReminders,
        tapped.TappedProvider,
        tapped.TappedSocket,
        tapped.TappedSink,
        tapped.TappedAligner,
    ):
        monkeypatch.setattr(each, "__init__", fail)

    async def run() -> None:
        async with conversation(TWO) as talk:
            await asked(talk)

    run_virtual(run)


def test_audio_is_kept_once_and_only_if_wanted() -> None:
    with_audio, without = record(), record(audio=False)
    assert b'"crc32"' in with_audio
    assert b'"crc32"' not in without
    assert b'"base64"' not in without
    deltas = [
        event["frame"]["delta"]
        for event in lines(without)
        if event.get("frame", {}).get("type") == "response.output_audio.delta"
    ]
    assert deltas
    assert all(set(delta) == {"$audio"} for delta in deltas)
    appended = [
        event["mail"]["audio"]["$audio"]
        for event in lines(with_audio)
        if event.get("mail", {}).get("type") == "AppendAudio"
    ]
    assert "base64" in appended[0]  # as the app sent it
    assert len(without) < len(with_audio) * 2 / 3


def test_a_path(tmp_path: Path) -> None:
    file = tmp_path / "call.jsonl"
    file.write_text("what was there before")

    async def run() -> None:
        async with conversation(TWO, recorder=Recorder(file)) as talk:
            await asked(talk)

    run_virtual(run)
    assert len(replay(file)) == 3


@pytest.mark.parametrize("where", ["", "missing/call.jsonl"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, where: str) -> None:
    async def run() -> None:
        recorder = Recorder(tmp_path / where)
        async with Session(OpenAIRealtime(api_key=""), sink=MemorySink(), recorder=recorder):
            pass

    with pytest.raises(ConfigurationError, match=r"cannot record into .* \(.*\): choose another file"):
        run_virtual(run)


def test_a_recorder_is_for_one_session(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call.jsonl")

    async def run() -> None:
        async with Session(OpenAIRealtime(base_url="nonsense"), sink=MemorySink(), recorder=recorder):
            pass

    for said in ("base_url", "a recorder is for one session"):
        with pytest.raises(ConfigurationError, match=said):
            run_virtual(run)


# --------------------------------------------------------------------------------------------- when it can't be written


class Full(BytesIO):
    """A disk with room for so many bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 20_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


class Stuck(BytesIO):
    """A disk that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def write(self, data: Any) -> int:
        self.goes_on.wait()
        return super().write(data)


def problems(file: BytesIO) -> list[str]:
    """What the app of a session is told that is recorded there."""
    talks: list[Conversation] = []

    async def run() -> None:
        async with conversation(TWO, recorder=Recorder(file)) as talk:
            talks.append(talk)
            await interrupted(talk)

    run_virtual(run)
    return [event.message for event in talks[0].events if isinstance(event, Problem)]


def test_a_full_disk_ends_the_recording_not_the_session() -> None:
    assert problems(Full()) == ["the recording ends here: it can't be written (No space left on device)"]


def test_a_file_that_somebody_closes_does_the_same() -> None:
    file = BytesIO()
    file.close()
    assert problems(file) == ["the recording ends here: it can't be written (I/O operation on closed file.)"]


def test_a_slow_disk_ends_the_recording_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_WAITING", 50_000)
    monkeypatch.setattr(writing, "PATIENCE_S", 0)
    file = Stuck()
    assert problems(file) == ["the recording ends here: the disk is too slow: 0 MiB wait for it"]
    file.goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "recording":
            thread.join()
    assert 50_000 < file.tell() < 60_000
    file.seek(0)
    recording = read_recording(file)
    assert isinstance(recording.events[-1].event, Incomplete)
    replay(recording)


def test_what_cannot_be_written_ends_the_recording_not_the_session() -> None:
    file, told = BytesIO(), list[SessionEvent]()

    async def run() -> None:
        recorder = Recorder(file)
        publish = recorder.publish(told.append)
        recorder.open(OpenAIRealtime(api_key=""), Deadlines(), Bounds(), None)
        for name in ("first", "\ud800", "last"):
            publish(Unhandled(name))

    run_virtual(run)
    first, problem, *rest = told
    assert (first, rest) == (Unhandled("first"), [Unhandled("\ud800"), Unhandled("last")])
    assert isinstance(problem, Problem)
    assert problem.message.startswith("the recording ends here: event 2 can't be written (")
    file.seek(0)
    shown, end = read_recording(file).events
    assert isinstance(shown.event, Published)
    assert isinstance(end.event, Incomplete)


def test_a_killed_process_leaves_what_happened(tmp_path: Path) -> None:
    file = tmp_path / "call.jsonl"
    script = f"""
import os, signal, time
from rtactors.recording import Recorder
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import conversation
from tests.recording.recorded import TWO

async def run():
    async with conversation(TWO, recorder=Recorder({str(file)!r})) as talk:
        await talk.ask("Who is Ada?")
        await talk.sink.play(1500)
        time.sleep(0.5)  # the moment that the file's thread needs
        os.kill(os.getpid(), signal.SIGKILL)

run_virtual(run)
"""
    process = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert process.returncode == -signal.SIGKILL
    with file.open("ab") as torn:
        torn.write(b'{"kind":"publis')
    recording = read_recording(file)
    assert recording.torn
    assert len(recording.events) > 150
    history = replay(recording)
    assert [item.heard_text for item in history if item.role == "user"] == ["Who is Ada?"]
