"""A device that plays as far as a test lets it: exact positions without a clock, in virtual time and in real time."""

import math

import anyio
from anyio.lowlevel import checkpoint

from rtactors.sinks.base import Lost
from rtactors.sinks.segment import Segment, SegmentSink


class SteppedSink(SegmentSink):
    """Plays nothing by itself: `play` says how much, `play_all` lifts the limit. Each step is confirmed to the frame.

    `tail_ms` is how much it has taken already when it is told to stop, and plays all the same.
    """

    tail_ms = 0

    def __init__(self, rate: int = 24_000) -> None:
        super().__init__(rate, progress_ms=1)
        self._allowed: float = 0  # frames
        self._moved = anyio.Event()

    async def play(self, ms: float) -> None:
        """Let so much be heard, of one message or across several, and wait until it was, or until it was stopped.

        What is allowed and not used up is forgotten when a message is told to stop.
        """
        self._allowed += round(ms * self.rate / 1000)
        self._play_on()
        while self._allowed > 0:
            await self._moved.wait()
        await checkpoint()

    def play_all(self) -> None:
        """From now on, hear everything at once as it comes."""
        self._allowed = math.inf
        self._play_on()

    def lose(self, reason: str) -> None:
        """The device is gone."""
        self._allow(0)
        self._post(Lost(reason))

    def _allow(self, frames: float) -> None:
        self._allowed = frames
        self._moved.set()
        self._moved = anyio.Event()

    # -- the device

    def _queue(self, pcm: bytes) -> None: ...

    def _drop(self) -> None:
        if math.isfinite(self._allowed):
            self._allow(0)

    def _go(self, segment: Segment) -> None:
        step = int(min(self._allowed, segment.written - segment.heard))
        if step:
            now = anyio.current_time()
            self._advance(segment, segment.heard + step, now, now)
            self._allow(self._allowed - step)

    def _halt(self, segment: Segment) -> int:
        tail = min(self.tail_ms * self.rate // 1000, segment.written - segment.heard)
        if tail:
            now = anyio.current_time()
            self._advance(segment, segment.heard + tail, now, now)
        return segment.heard

    def _look(self) -> None: ...

    def _due(self) -> float:
        return math.inf
