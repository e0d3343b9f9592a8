"""A sound card without sound: a PulseAudio server of our own with a null sink, whose monitor is recorded.

On Debian and Ubuntu it needs: apt-get install --no-install-recommends libportaudio2 libasound2-plugins pulseaudio
pulseaudio-utils. Where one of these is missing, the tests are skipped and say so.

These are the only tests that may be run again: PortAudio now and then opens a stream over PulseAudio that stalls or
fails (measured: about one in eight of the first ones), and a machine with both cores busy starves the recording. What
must hold without exception, the same checks show in virtual time.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from rtactors import portaudio
from rtactors.errors import ConfigurationError
from rtactors.events import BYTES_PER_FRAME

RATE = 24_000
ASOUND = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


class SoundCard:
    """A PulseAudio server with one null sink; PortAudio finds it through the environment."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        socket = folder / "native"
        (folder / "asound.conf").write_text(ASOUND)
        own = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{socket}"}
        self._environment = os.environ | own
        patch.setenv("PULSE_SERVER", f"unix:{socket}")
        patch.setenv("ALSA_CONFIG_PATH", str(folder / "asound.conf"))
        server = self._spawn(
            *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
            *("-L", f"module-null-sink sink_name=card rate={RATE} channels=1"),
            *("-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"),
        )
        self._processes = [server]
        self._wait(
            lambda: (
                subprocess.run(["pactl", "info"], env=self._environment, capture_output=True, check=False).returncode
                == 0
            )
        )
        self._recording = folder / "recording.raw"

    def record(self) -> None:
        """Record all that is played from now on. Without this listener PortAudio stalls on a null sink quite often."""
        with self._recording.open("wb") as file:
            options = ("--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=10")
            self._processes.append(self._spawn("parec", "-d", "card.monitor", *options, stdout=file))
        self._wait(lambda: self._size() > 0)

    def played(self) -> list[int]:
        """The samples that were played and are not silence, in order."""
        end = self._size() + 2 * RATE  # within this second, all that is on its way gets to the file
        self._wait(lambda: self._size() > end)
        samples = memoryview(self._recording.read_bytes()[:end]).cast("h")
        return [sample for sample in samples if sample]

    def freeze(self) -> None:
        """The driver answers no more, which PortAudio doesn't notice."""
        self._processes[0].send_signal(signal.SIGSTOP)

    def unplug(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _size(self) -> int:
        return self._recording.stat().st_size // BYTES_PER_FRAME * BYTES_PER_FRAME

    def _spawn(self, *command: str, stdout: BinaryIO | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=self._environment, stdout=stdout, stderr=subprocess.DEVNULL)

    def _wait(self, condition: Callable[[], bool]) -> None:
        for _ in range(500):
            if condition():
                return
            time.sleep(0.02)
        pytest.fail(f"PulseAudio did not get ready in {self.folder}")


@contextmanager
def plugged_in(folder: Path) -> Generator[SoundCard]:
    missing = [name for name in ("pulseaudio", "pactl", "parec") if not shutil.which(name)]
    if missing:
        pytest.skip(f"no sound card: {', '.join(missing)} not installed (see tests/device/conftest.py)")
    loaded = sys.modules.get("sounddevice")
    with pytest.MonkeyPatch.context() as patch:
        card = SoundCard(folder, patch)
        try:
            if loaded:  # by another test: PortAudio has looked for devices before this one was there
                loaded._terminate()
                loaded._initialize()
            try:
                portaudio.load()
            except ConfigurationError as error:
                pytest.skip(f"no sound card: {error}")
            yield card
        finally:
            card.unplug()


@pytest.fixture
def sound_card(tmp_path_factory: pytest.TempPathFactory) -> Generator[SoundCard]:
    """One for each test, though it takes two seconds to get ready: a test that runs again may do so because the server
    has gone, and needs another one.
    """
    with plugged_in(tmp_path_factory.mktemp("card")) as card:
        card.record()
        yield card


@pytest.fixture
def loose_card(tmp_path: Path) -> Generator[SoundCard]:
    """One to unplug."""
    with plugged_in(tmp_path) as card:
        yield card
