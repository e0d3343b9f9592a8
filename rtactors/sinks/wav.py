"""A paced sink that writes what was heard to a WAV file: what a microphone next to the speaker would record.

The silence between messages and in pauses is in it, and a message that was cut ends where it was cut.
"""

import struct
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import anyio

from rtactors.errors import ConfigurationError
from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Report
from rtactors.sinks.paced import PacedSink

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_MAX_BYTES = 2**32 - 1 - _HEADER.size
"""WAV counts in 32 bits, 24 hours at 24 kHz; a longer file holds more than its header tells."""


class WavSink(PacedSink):
    """Plays at a device's pace into the file `path`: mono PCM16, from the moment `run` begins until it ends.

    Header and audio are brought up to date with every piece of at most 100 ms (a write of a few kB to the system's
    cache), so the file is valid at any time, also if the process is killed.

    `run` raises ConfigurationError if the file can't be opened; a write that fails later is reported as `Lost`.
    """

    def __init__(self, path: str | Path, rate: int = 24_000) -> None:
        super().__init__(rate, listener=self._record)
        self.path = Path(path)
        self._file: FileIO | None = None
        self._began = 0.0
        self._frames = 0

    async def run(self, report: Callable[[Report], None]) -> None:
        try:
            file = self.path.open("wb", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"can't record to {self.path} ({error.strerror}): choose another file") from error
        with file:
            self._file, self._began, self._frames = file, anyio.current_time(), 0
            try:
                self._record(b"", self._began)
                await super().run(report)
            finally:
                self._record(b"", anyio.current_time())
                self._file = None

    def _record(self, pcm: bytes, at: float) -> None:
        """Write what was heard from `at` on; what lies between that and the end of the file becomes silence."""
        if not self._file:
            return
        silence = round((at - self._began) * self.rate) - self._frames
        try:
            if silence > 1:  # one frame is a rounding error
                self._frames += silence
                self._file.truncate(self._end())
            self._file.seek(self._end())
            self._file.write(pcm)
            self._frames += len(pcm) // BYTES_PER_FRAME
            self._file.seek(0)
            self._file.write(self._header())
        except OSError as error:
            self._file = None
            self._lose(f"can't go on recording to {self.path} ({error.strerror})")

    def _end(self) -> int:
        return _HEADER.size + self._frames * BYTES_PER_FRAME

    def _header(self) -> bytes:
        size = min(self._frames * BYTES_PER_FRAME, _MAX_BYTES)
        return _HEADER.pack(
            *(b"RIFF", _HEADER.size - 8 + size, b"WAVE"),
            *(b"fmt ", 16, 1, 1, self.rate, self.rate * BYTES_PER_FRAME, BYTES_PER_FRAME, 8 * BYTES_PER_FRAME),
            *(b"data", size),
        )
