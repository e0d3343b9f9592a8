"""What every sink shares: the life of one segment, and the six calls of the protocol over a device that can be told to
go and to stop.

A device has taken some of the frames that were written, and some of those have been heard. `finish` and `clear` differ
in one number only: after how many frames the segment is over. That is all of them for `finish`, and for `clear` those
that the device has taken already and that nobody can recall. The same number makes a pause exact.

Nothing here knows how a device tells its position: subclasses do.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

import anyio

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Finished, Lost, Paused, Progress, Report, Resumed, Started, Starved


class Segment:
    """One message in a sink. Positions are frames of this message; `post` gets its reports in order."""

    def __init__(self, message_id: str, step: int | None, post: Callable[[Report], None]) -> None:
        self.message_id = message_id
        self.written = 0
        self.heard = 0
        self.end: int | None = None
        """Where it is over: set by `finish` and `clear`."""
        self.stop: int | None = None
        """Where it pauses: set by `pause`, and None again by `resume`."""
        self.over = False
        self._paused = False
        self._starved = False
        self._step = step
        self._post = post

    @property
    def next_report(self) -> int:
        """The position at which there will be something to report, if playing goes on."""
        if not self.heard:
            return 1
        if self._step is None:
            return self.written
        return min(self.written, (self.heard // self._step + 1) * self._step)

    def write(self, frames: int) -> None:
        self.written += frames
        self._starved = False

    def advance(self, heard: int, since: float, until: float, *, confirmed: bool = True) -> None:
        """`heard` frames have left the device; those that are new did between `since` and `until`.

        Both in seconds of `anyio.current_time()`.
        """
        before, self.heard = self.heard, heard
        if heard and not before:
            self._post(Started(self.message_id, since))
        if self.end is not None and heard >= self.end:
            self.over = True
            self._post(Finished(self.message_id, heard, until, confirmed))
        elif self.stop is not None:
            if heard >= self.stop and not self._paused:
                self._paused = True
                self._post(Paused(self.message_id, heard, until))
        elif heard == self.written:
            if heard and not self._starved:
                self._starved = True
                self._post(Starved(self.message_id, heard, until))
        elif self._step and heard // self._step > before // self._step:
            self._post(Progress(self.message_id, heard, until))

    def resume(self) -> None:
        if not self._paused:  # the device had not come to a halt yet
            self._post(Paused(self.message_id, self.heard))
        self.stop, self._paused = None, False
        self._post(Resumed(self.message_id))


class SegmentSink(ABC):
    """The protocol of `rtactors.sinks.base`; a subclass is the device: the methods at the end.

    `rate` is in Hz; `progress_ms` is how often `Progress` is reported, None for never.
    """

    def __init__(self, rate: int, progress_ms: int | None) -> None:
        self.rate = rate
        self._step = None if progress_ms is None else max(1, rate * progress_ms // 1000)
        self._segment: Segment | None = None
        self._reports: deque[Report] = deque()
        self._wake = anyio.Event()
        self._running = False
        self._lost = False

    def begin(self, message_id: str) -> None:
        self._look()  # the one before may have ended just now
        if self._lost:
            return
        if self._segment:
            raise RuntimeError(
                f"message {message_id!r} can't begin: {self._segment.message_id!r} is still open;"
                " finish or clear it and wait until it is reported as Finished"
            )
        self._segment = Segment(message_id, self._step, self._post)

    def write(self, message_id: str, pcm: bytes) -> None:
        self._look()  # if the device ran dry before now, there is a gap, even if nobody has noticed it yet
        segment = self._open(message_id)
        if segment and segment.end is None and pcm:
            segment.write(len(pcm) // BYTES_PER_FRAME)
            self._queue(pcm)
            self._play_on()

    def finish(self, message_id: str) -> None:
        segment = self._open(message_id)
        if segment and segment.end is None:
            segment.end = segment.written
            self._settle(segment)

    def clear(self, message_id: str) -> None:
        if segment := self._open(message_id):
            taken = self._halt(segment)
            self._drop()
            segment.end = taken
            self._settle(segment)

    def pause(self, message_id: str) -> None:
        segment = self._open(message_id)
        if segment and segment.stop is None:
            segment.stop = self._halt(segment)
            self._settle(segment)

    def resume(self, message_id: str) -> None:
        segment = self._open(message_id)
        if segment and segment.stop is not None:
            segment.resume()
            self._play_on()

    async def run(self, report: Callable[[Report], None]) -> None:
        if self._running:
            raise RuntimeError("this sink is in use: every session needs a sink of its own")
        self._running = True
        try:
            self._play_on()
            while True:
                self._wake = anyio.Event()  # before looking, so that nothing is missed
                self._look()
                while self._reports:
                    report(self._reports.popleft())
                with anyio.CancelScope(deadline=self._due()):
                    await self._wake.wait()
        finally:
            self._running = False
            if self._segment:
                self._halt(self._segment)

    def _open(self, message_id: str) -> Segment | None:
        return self._segment if self._segment and self._segment.message_id == message_id else None

    def _play_on(self) -> None:
        segment = self._segment
        if self._running and segment and segment.stop is None and segment.heard < segment.written:
            self._go(segment)

    def _advance(self, segment: Segment, heard: int, since: float, until: float, *, confirmed: bool = True) -> None:
        segment.advance(heard, since, until, confirmed=confirmed)
        if segment.over:
            self._segment = None

    def _settle(self, segment: Segment) -> None:
        if not segment.over:
            now = anyio.current_time()
            self._advance(segment, segment.heard, now, now)

    def _post(self, report: Report) -> None:
        if not self._lost:
            self._reports.append(report)
            self._wake.set()

    def _lose(self, reason: str) -> None:
        """The device is gone: tell the last position that it confirmed, and then nothing any more."""
        if self._segment and self._segment.heard:
            self._post(Progress(self._segment.message_id, self._segment.heard))
        self._post(Lost(reason))
        self._lost = True
        self._segment = None

    # ------------------------------------------------------------------------------------------------- the device

    @abstractmethod
    def _queue(self, pcm: bytes) -> None:
        """Keep what was written until the device takes it."""

    @abstractmethod
    def _drop(self) -> None:
        """Forget all that is queued."""

    @abstractmethod
    def _go(self, segment: Segment) -> None:
        """Play what is queued, if the device doesn't do so already."""

    @abstractmethod
    def _halt(self, segment: Segment) -> int:
        """Take no more; how many frames of the segment will have been heard once the device is still."""

    @abstractmethod
    def _look(self) -> None:
        """Find out how much was heard, if that may have changed, and `_advance` the segment."""

    @abstractmethod
    def _due(self) -> float:
        """When to look again, in seconds of `anyio.current_time()`; inf if nothing moves."""
