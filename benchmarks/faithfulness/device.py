"""The ears of a conversation: a device that every side has, which knows of each frame that was heard whose it was.

The server's voice puts a mark into its sound: the lowest four bits of every sample are the number of the message, from
1. Nobody could hear that, and it survives whatever hands the bytes on. The device is a `Player`: what was written is
heard at the pace of speech, and can be dropped at any moment; it plays whatever it is given after that.

It imports nothing but the standard library, since it runs in every side's environment.
"""

import zlib
from typing import NamedTuple

from benchmarks.sides.base import Player

MARKS = 15
"""As many messages can be told from one another; 0 is nobody's."""
_MARK_OF = bytes(low & MARKS for low in range(256))


class Run(NamedTuple):
    """What was heard of one message, without a gap."""

    mark: int
    frames: int
    crc: int
    """CRC-32 of its bytes."""


class Device:
    def __init__(self) -> None:
        self._player = Player()
        self._before: list[tuple[int, bytes]] = []  # heard before it was cleared
        self._before_frames = 0
        self._written: list[tuple[int, bytearray]] = []  # and since

    @property
    def played(self) -> int:
        """Frames that were heard, all in all."""
        return self._before_frames + self._player.heard

    @property
    def accepted(self) -> int:
        """Frames that were heard, or will be if it isn't cleared."""
        return self._before_frames + self._player.written

    def write(self, pcm: bytes) -> None:
        """Hear this behind what was written before: mono PCM16 of whole frames."""
        self._player.write(pcm)
        marks = pcm[::2].translate(_MARK_OF)
        start = 0
        while start < len(marks):
            same = len(marks) - start - len(marks[start:].lstrip(marks[start : start + 1]))
            self._note(marks[start], pcm[2 * start : 2 * (start + same)])
            start += same

    def clear(self) -> int:
        """Drop what was not heard by now; frames that were, all in all."""
        heard = self._player.stop()
        self._before += self._cut(heard)
        self._before_frames += heard
        self._written.clear()
        self._player = Player()
        return self._before_frames

    @property
    def runs(self) -> list[Run]:
        """What was heard by now, in order."""
        joined: list[tuple[int, bytearray]] = []
        for mark, pcm in [*self._before, *self._cut(self._player.heard)]:
            if joined and joined[-1][0] == mark:
                joined[-1][1].extend(pcm)
            else:
                joined.append((mark, bytearray(pcm)))
        return [Run(mark, len(pcm) // 2, zlib.crc32(pcm)) for mark, pcm in joined]

    def heard(self) -> dict[int, int]:
        """Frames that were heard of each message by now, in the order in which they began."""
        frames: dict[int, int] = {}
        for mark, pcm in self._before:
            frames[mark] = frames.get(mark, 0) + len(pcm) // 2
        left = self._player.heard
        for mark, pcm in self._written:
            if not left:
                break
            part = min(left, len(pcm) // 2)
            frames[mark] = frames.get(mark, 0) + part
            left -= part
        frames.pop(0, None)
        return frames

    def _note(self, mark: int, pcm: bytes) -> None:
        if self._written and self._written[-1][0] == mark:
            self._written[-1][1].extend(pcm)
        else:
            self._written.append((mark, bytearray(pcm)))

    def _cut(self, frames: int) -> list[tuple[int, bytes]]:
        """The first so many frames of what was written since."""
        kept: list[tuple[int, bytes]] = []
        for mark, pcm in self._written:
            part = min(frames, len(pcm) // 2)
            if part:
                kept.append((mark, bytes(pcm[: 2 * part])))
            frames -= part
        return kept
