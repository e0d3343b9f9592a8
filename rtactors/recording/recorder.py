"""Records a session into a file."""

import os
from pathlib import Path
from typing import BinaryIO

from msgspec import json
from msgspec.structs import replace

from rtactors.actor import Publish
from rtactors.errors import ConfigurationError
from rtactors.recording import lines
from rtactors.recording.tap import Tap
from rtactors.recording.writer import Writer
from rtactors.session_events import Problem


class Recorder(Tap):
    """Records one session into `file`: a path, where a file that is there is replaced, or something open for bytes.

    `audio=False` leaves all audio out; the recording can still be replayed. Secrets are always left out. Nothing that
    the session does waits for the file. If it can't be written, or not as fast as things happen, the recording ends
    there, the app is told by a `Problem`, and the session goes on.

    Entering the session raises ConfigurationError if the file can't be opened, or if the recorder was used before.
    """

    def __init__(self, file: str | Path | BinaryIO, *, audio: bool = True) -> None:
        super().__init__(audio=audio)
        self._file = file
        self._writer: Writer | None = None
        self._encoder = json.Encoder()
        self._to_app: Publish = lambda _event: None

    def begin(self, header: lines.Header) -> None:
        if self._writer:
            raise ConfigurationError("a recorder is for one session: make another one, with another file")
        self._writer = self._opened()
        self._writer.write(self._encoder.encode(header) + b"\n")
        super().begin(header)

    def publish(self, publish: Publish) -> Publish:
        self._to_app = publish
        return super().publish(publish)

    def note(self, event: lines.Event) -> int:
        writer = self._writer
        assert writer, "it has begun"
        try:
            writer.write(self._line(event))
        except (TypeError, ValueError, RecursionError) as error:  # a session is not to suffer from it
            self._give_up(writer, event, f"event {event.n} can't be written ({error})")
            return event.n
        if isinstance(event, lines.Over):
            writer.close()
        if trouble := writer.trouble:
            self._give_up(writer, replace(event, n=event.n + 1), trouble)
        return event.n

    def _line(self, event: lines.Event) -> bytes:
        return self.leave_out.from_line(self._encoder.encode(event)) + b"\n"

    def _give_up(self, writer: Writer, instead: lines.Event, trouble: str) -> None:
        self._listening = False
        writer.write(self._line(lines.Incomplete(instead.n, instead.at, instead.who, trouble)))
        writer.close()
        self._to_app(Problem(kind="other", message=f"the recording ends here: {trouble}"))

    def _opened(self) -> Writer:
        if not isinstance(self._file, str | Path):
            return Writer(self._file, owned=False)
        try:
            return Writer(open(self._file, "wb", opener=_for_its_owner), owned=True)
        except OSError as error:
            raise ConfigurationError(
                f"cannot record into {self._file} ({error.strerror}): choose another file"
            ) from None


def _for_its_owner(path: str, flags: int) -> int:
    """What people said is nobody else's to read."""
    return os.open(path, flags, 0o600)
