"""A sink without a device that plays at a device's pace, by the clock of the event loop. Its positions are exact.

It sleeps until something happens (a message's first frame, the next progress report, the end of what was written), so
hundreds of them cost next to nothing.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import anyio

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.segment import Segment, SegmentSink

Listener: TypeAlias = Callable[[bytes, float], None]
"""Takes PCM16 that was heard, and when its first frame left, in seconds of `anyio.current_time()`."""

_HAIR = 1e-3
"""Frames. Clocks tell times in floats, so a frame's end may seem to be a hair away when it has come."""


class PacedSink(SegmentSink):
    """Plays `rate` frames a second.

    `latency_ms` is how long a frame takes from being handed over to being heard: so much later the first one is heard
    when playing starts, and when it goes on after a pause or after it ran dry. `listener` hears what is played, in
    pieces of about `progress_ms`; without one no audio is kept.
    """

    def __init__(
        self,
        rate: int = 24_000,
        *,
        latency_ms: float = 0,
        progress_ms: int | None = 100,
        listener: Listener | None = None,
    ) -> None:
        super().__init__(rate, progress_ms)
        self._latency = latency_ms / 1000
        self._pace = rate  # frames in a second of the loop's clock
        self._listener = listener
        self._queued = bytearray()
        # While it plays, frame `_origin` of the segment leaves at `_since`.
        self._origin = 0
        self._since: float | None = None

    def _queue(self, pcm: bytes) -> None:
        if self._listener:
            self._queued += pcm

    def _drop(self) -> None:
        self._queued.clear()

    def _go(self, segment: Segment) -> None:
        if self._since is None:
            self._origin = segment.heard
            self._since = anyio.current_time() + self._latency
            self._wake.set()

    def _halt(self, segment: Segment) -> int:
        self._catch_up(segment)
        self._since = None
        return segment.heard

    def _look(self) -> None:
        if self._segment and anyio.current_time() + _HAIR / self._pace >= self._due():
            self._catch_up(self._segment)

    def _due(self) -> float:
        if self._since is None or not self._segment:
            return math.inf
        return self._leaves_at(self._segment.next_report)

    def _leaves_at(self, position: int) -> float:
        """When the first `position` frames of the segment have left."""
        assert self._since is not None
        return self._since + (position - self._origin) / self._pace

    def _catch_up(self, segment: Segment) -> None:
        if self._since is None:
            return
        elapsed = (anyio.current_time() - self._since) * self._pace
        heard = min(segment.written, self._origin + math.floor(elapsed + _HAIR))
        if heard <= segment.heard:
            return
        since, until = self._leaves_at(segment.heard), self._leaves_at(heard)
        if self._listener:
            size = (heard - segment.heard) * BYTES_PER_FRAME
            self._listener(bytes(self._queued[:size]), since)
            del self._queued[:size]
        if heard == segment.written:
            self._since = None
        self._advance(segment, heard, since, until)
