"""The WAV sink: the file holds what was heard, and is valid at any time."""

import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import anyio
import pytest

from rtactors.errors import ConfigurationError
from rtactors.sinks import WavSink
from rtactors.sinks.base import Finished, Lost, Report
from rtactors.testing.clock import settled
from rtactors.testing.sinks import probing

pytestmark = pytest.mark.anyio


def frames_of(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 1_000)
        return file.readframes(file.getnframes())


def sound(ms: int, value: int) -> bytes:
    return value.to_bytes(2, "little") * ms


async def test_the_file_is_what_a_microphone_would_have_recorded(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    async with probing(WavSink(path, 1_000)) as probe:
        await anyio.sleep(0.5)
        probe.begin("full")
        probe.write("full", sound(250, 1))
        await anyio.sleep(0.4)  # it runs dry for 150 ms
        probe.write("full", sound(100, 2))
        probe.finish("full")
        await anyio.sleep(0.3)  # 200 ms between the messages
        probe.begin("cut")
        probe.write("cut", sound(1_000, 3))
        await anyio.sleep(0.123)
        probe.pause("cut")
        await anyio.sleep(0.05)
        probe.resume("cut")
        await anyio.sleep(0.01)
        probe.clear("cut")
        assert (await probe.until(Finished, "cut")).frames == 133
        await anyio.sleep(60)
    parts = [(500, 0), (250, 1), (150, 0), (100, 2), (200, 0), (123, 3), (50, 0), (10, 3), (60_000, 0)]
    assert frames_of(path) == b"".join(sound(ms, value) for ms, value in parts)


async def test_an_hour_of_silence_takes_no_room_in_memory_or_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    async with probing(WavSink(path)):
        await anyio.sleep(3_600)
    with wave.open(str(path)) as file:
        assert file.getnframes() == 3_600 * 24_000


async def test_the_file_is_valid_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    async with probing(WavSink(path, 1_000)) as probe:
        await settled()
        assert frames_of(path) == b""
        probe.begin("m")
        probe.write("m", sound(1_000, 5))
        for heard in (100, 200, 300):
            await anyio.sleep(0.1)
            await settled()
            assert frames_of(path) == sound(heard, 5)


KILLED = """
import anyio, sys
from rtactors.sinks import WavSink

async def main():
    sink = WavSink(sys.argv[1], 1_000)
    sink.begin("m")
    sink.write("m", b"xx" * 60_000)
    await sink.run(lambda report: print(report, flush=True))

anyio.run(main)
"""


def test_the_file_is_valid_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        while b"Progress" not in process.stdout.readline():
            pass
        os.kill(process.pid, signal.SIGKILL)
    heard = frames_of(path)
    assert len(heard) >= 2 * 100
    assert set(heard) == {ord("x")}


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"can't record to .*missing.heard.wav \(No such file or directory\)"):
        await WavSink(tmp_path / "missing" / "heard.wav").run(print)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
async def test_a_full_disk_is_reported_as_lost_and_nothing_hangs() -> None:
    sink = WavSink("/dev/full")
    reports: list[Report] = []
    sink.begin("m")
    sink.write("m", bytes(4_800))
    sink.finish("m")
    with anyio.move_on_after(1):
        await sink.run(reports.append)
    assert reports[-1] == Lost("can't go on recording to /dev/full (No space left on device)")
