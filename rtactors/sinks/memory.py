"""A sink in memory: hears everything at once, or frame by frame as a test says. Its positions are exact."""

import math

import anyio

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.segment import Segment, SegmentSink


class MemorySink(SegmentSink):
    """Keeps what was heard.

    What is written is heard at once; with `hold=True` nothing is heard until `play` or `play_ms` moves it on (to be
    called in the event loop).
    """

    def __init__(self, rate: int = 24_000, *, hold: bool = False, progress_ms: int | None = None) -> None:
        super().__init__(rate, progress_ms)
        self.heard: dict[str, bytearray] = {}
        """PCM16 by message id, in the order in which the messages were heard."""
        self._hold = hold
        self._queued = bytearray()

    def play(self, frames: int) -> int:
        """Let up to `frames` frames of the open message be heard; how many there were (none while it is paused)."""
        segment = self._segment
        if not segment or segment.stop is not None:
            return 0
        frames = min(frames, segment.written - segment.heard)
        if frames:
            size = frames * BYTES_PER_FRAME
            self.heard.setdefault(segment.message_id, bytearray()).extend(self._queued[:size])
            del self._queued[:size]
            now = anyio.current_time()
            self._advance(segment, segment.heard + frames, now, now)
        return frames

    def play_ms(self, ms: float) -> int:
        return self.play(round(ms * self.rate / 1000))

    def _queue(self, pcm: bytes) -> None:
        self._queued += pcm

    def _drop(self) -> None:
        self._queued.clear()

    def _go(self, segment: Segment) -> None:
        if not self._hold:
            self.play(segment.written - segment.heard)

    def _halt(self, segment: Segment) -> int:
        return segment.heard

    def _look(self) -> None: ...

    def _due(self) -> float:
        return math.inf
