"""A simulated audio device: plays by the virtual clock, with the habits of real ones.

`SimulatedDevice` is what is heard: it starts late, has taken some audio already when it is told to stop, and now and
then stands still. Its positions are exact. What it *tells* of them goes through a `Blur`, which counts in blocks and
loses reports; how late they come is for `rtactors.testing.ears.Ears`.
"""

import math
from collections.abc import Sequence

import anyio
from msgspec.structs import replace

from rtactors.sinks.base import Finished, Paused, Progress, Report, Starved
from rtactors.sinks.segment import Segment, SegmentSink
from rtactors.testing.ears import Segment as Heard
from rtactors.testing.simulation.plan import Device, Stall

RATE = 24_000
PROGRESS_MS = 100
_HAIR = 1e-3
"""Frames. Clocks tell times in floats, so a frame's end may seem to be a hair away when it has come."""


class SimulatedDevice(SegmentSink):
    """Call `lose` and it is unplugged."""

    def __init__(self, plan: Device) -> None:
        super().__init__(RATE, PROGRESS_MS)
        self._latency = plan.latency_ms / 1000
        self._tail = plan.tail_ms * RATE // 1000
        self._works = _Works(plan.stalls)
        # While it plays, frame `_origin` of the segment leaves when it has worked for `_since` seconds.
        self._origin = 0
        self._since: float | None = None

    def lose(self) -> None:
        self._look()
        self._since = None
        self._lose("the device was unplugged")

    def _queue(self, pcm: bytes) -> None: ...

    def _drop(self) -> None: ...

    def _go(self, segment: Segment) -> None:
        if self._since is None:
            self._origin = segment.heard
            self._since = self._works.until(anyio.current_time()) + self._latency
            self._wake.set()

    def _halt(self, segment: Segment) -> int:
        self._catch_up(segment)
        if self._since is None:
            return segment.heard
        return min(segment.written, segment.heard + self._tail)

    def _look(self) -> None:
        if self._segment and anyio.current_time() + _HAIR / RATE >= self._due():
            self._catch_up(self._segment)

    def _due(self) -> float:
        if self._since is None or not self._segment:
            return math.inf
        return self._leaves_at(min(self._segment.next_report, _limit(self._segment)))

    def _leaves_at(self, position: int, *, going_on: bool = False) -> float:
        """When the first `position` frames of the segment have left, or when the next one begins to."""
        assert self._since is not None
        return self._works.at(self._since + (position - self._origin) / RATE, going_on=going_on)

    def _catch_up(self, segment: Segment) -> None:
        if self._since is None:
            return
        worked = self._works.until(anyio.current_time()) - self._since
        limit = _limit(segment)
        heard = max(segment.heard, min(limit, self._origin + math.floor(worked * RATE + _HAIR)))
        if heard == segment.heard < limit:
            return
        since, until = self._leaves_at(segment.heard, going_on=True), self._leaves_at(heard)
        if heard == limit:
            self._since = None
        self._advance(segment, heard, since, until)


def _limit(segment: Segment) -> int:
    """Where it stops, if nothing more comes."""
    return min(where for where in (segment.written, segment.stop, segment.end) if where is not None)


class _Works:
    """How long a device has worked at some time, and when it has worked so long: it does not while it stands still."""

    def __init__(self, stalls: Sequence[Stall]) -> None:
        self._stalls: list[tuple[float, float]] = []  # begin and length, in seconds, one after another
        for stall in sorted(stalls, key=lambda stall: stall.at_ms):
            begin = stall.at_ms / 1000
            if self._stalls:
                begin = max(begin, sum(self._stalls[-1]))
            self._stalls.append((begin, stall.ms / 1000))

    def until(self, time: float) -> float:
        return time - sum(min(length, time - begin) for begin, length in self._stalls if begin < time)

    def at(self, worked: float, *, going_on: bool = False) -> float:
        """The first moment at which it has, or the last, when it is `going_on`."""
        time = worked
        for begin, length in self._stalls:
            if begin < time - _HAIR / RATE or (going_on and begin <= time + _HAIR / RATE):
                time += length
        return time


class Blur:
    """What comes through of a device's report on a segment: None if nothing does."""

    def __init__(self, plan: Device) -> None:
        self._block = plan.block_ms * RATE // 1000
        self._mute = plan.mute

    def __call__(self, report: Report, segment: Heard) -> Report | None:
        match report:
            case Progress() if self._mute in {"progress", "all"}:
                return None
            case Finished() if self._mute in {"ends", "all"}:
                return None
            case Starved() | Paused() if self._mute == "all":
                return None
            case Progress() | Paused() | Finished() if self._block and report.frames < segment.written_frames:
                return replace(report, frames=report.frames // self._block * self._block)
            case _:
                return report
