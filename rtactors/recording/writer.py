"""The file of a recording: lines go to a thread of its own, so that a slow disk holds nobody up.

The thread hands on what there is as soon as it is there, so that only what was recorded in the last moments is in the
process's own memory: a session that crashes, or is killed, leaves all the rest. It doesn't wait for the disk itself
(`fsync`): a machine that loses its power may lose more.
"""

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import BinaryIO

MOST_WAITING = 64 * 1024 * 1024
"""Bytes that may wait for the disk; a recording that is further behind ends."""
PATIENCE_S = 2.0
"""What `close` gives the disk."""


class Writer:
    """Writes to `file`, and closes it at the end if it is `owned`."""

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        self._file = file
        self._owned = owned
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._given = 0
        self._written = 0  # the thread's alone
        self._failure: OSError | ValueError | None = None
        self._thread = Thread(target=self._run, name="recording", daemon=True)  # daemon: a stuck disk keeps no process
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why no more should be written; "" if all is well."""
        if self._failure:
            return f"it can't be written ({getattr(self._failure, 'strerror', None) or self._failure})"
        if self._given - self._written > MOST_WAITING:
            return f"the disk is too slow: {MOST_WAITING // 1024**2} MiB wait for it"
        return ""

    def write(self, line: bytes) -> None:
        self._given += len(line)
        self._lines.put(line)

    def close(self) -> None:
        """Write what waits; that is little, and never waited for longer than PATIENCE_S."""
        self._lines.put(None)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        more = True
        try:
            while more:
                lines, more = self._next()
                self._file.write(b"".join(lines))
                self._file.flush()
                self._written += sum(map(len, lines))
        except (OSError, ValueError) as failure:  # ValueError: somebody has closed it
            self._failure = failure
        finally:
            if self._owned:
                with suppress(OSError):
                    self._file.close()

    def _next(self) -> tuple[list[bytes], bool]:
        """What waits, at least one line; False with the last."""
        lines: list[bytes] = []
        line = self._lines.get()
        while line is not None:
            lines.append(line)
            try:
                line = self._lines.get_nowait()
            except Empty:
                return lines, True
        return lines, False
