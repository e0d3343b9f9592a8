"""What was heard, from the sink's own mouth: a record that nothing between sink and test can falsify.

ears = Ears(PacedSink())
async with Session(provider, sink=ears) as session: ...
for segment in ears.segments: print(segment.message_id, segment.heard_ms(ears.rate))
"""

import math
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import anyio
from msgspec import Struct, field

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Finished, Lost, Paused, Progress, Report, Resumed, Sink, Started, Starved


class Segment(Struct, kw_only=True):
    """What became of one message at the sink. Positions are frames of the message."""

    message_id: str
    written: bytearray = field(default_factory=bytearray)
    """PCM16, all that the sink was given."""
    frames: int = 0
    """How many of them left the device, as the device knows it."""
    started_at: float | None = None
    """Seconds of `anyio.current_time()`, as the two below."""
    cleared_at: float | None = None
    """When it was told to stop."""
    stopped_at: float | None = None
    """When the device said that it was over."""
    began_at: float = 0.0
    """When the session opened it."""
    finish_at: float | None = None
    """When it was told that no more would be written."""
    told: list[tuple[float, Report]] = field(default_factory=list[tuple[float, Report]])
    """What the session was told, and when: what it can know."""
    overlapped: bool = False
    """True if it began while another segment was neither over nor told to stop."""

    @property
    def audio(self) -> bytes:
        """PCM16 of what was heard."""
        return bytes(self.written[: self.frames * BYTES_PER_FRAME])

    def heard_ms(self, rate: int) -> int:
        """Whole ms, as servers and histories count."""
        return self.frames * 1000 // rate

    @property
    def written_frames(self) -> int:
        return len(self.written) // BYTES_PER_FRAME

    def told_frames(self, until: float = math.inf) -> int:
        """The last position that the session was told by then."""
        return next(
            (told.frames for at, told in reversed(self.told) if at <= until and not isinstance(told, Untold)), 0
        )

    def told_at(self, moment: float) -> set[int]:
        """All positions that the session was told just then."""
        return {told.frames for at, told in self.told if at == moment and not isinstance(told, Untold)}

    def told_start(self, until: float = math.inf) -> Started | None:
        """The start, if the session was told it by then."""
        return next((told for at, told in self.told if at <= until and isinstance(told, Started)), None)

    def told_end(self, until: float = math.inf) -> Finished | None:
        """The end, if the session was told it by then."""
        return next((told for at, told in self.told if at <= until and isinstance(told, Finished)), None)


Untold: TypeAlias = Started | Resumed | Lost
"""Reports without a position."""
Tells: TypeAlias = Callable[[Report, Segment], Report | None]
"""What comes through of a report about a segment; None: nothing."""


class Ears:
    """A sink that passes everything on to another, and writes down what that one played.

    `loses` chooses reports that don't get through to the session, as those of a device that has gone mute; `tells`
    changes them on the way, as a device does that counts in blocks; they come `lag` seconds late.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        loses: Callable[[Report], bool] = lambda _report: False,
        tells: Tells = lambda report, _segment: report,
        lag: float = 0,
    ) -> None:
        self.segments: list[Segment] = []
        """In the order in which they began."""
        self.lost_at: float | None = None
        """When the session was told that the device is gone, or saw that it had not let go of a message."""
        self._sink = sink
        self._loses = loses
        self._tells = tells
        self._lag = lag
        self._late: deque[tuple[float, Segment | None, Report]] = deque()
        self._news = anyio.Event()

    @property
    def rate(self) -> int:
        return self._sink.rate

    @property
    def heard(self) -> list[Segment]:
        """Those of which something was heard, in the order heard."""
        return [segment for segment in self.segments if segment.frames]

    def told_frames(self, message_id: str) -> int:
        """The furthest position of a message that the session was told so far."""
        segment = self._find(message_id)
        told = segment.told if segment else ()
        return max((report.frames for _, report in told if not isinstance(report, Untold)), default=0)

    def begin(self, message_id: str) -> None:
        overlapped = any(segment.stopped_at is None and segment.cleared_at is None for segment in self.segments)
        try:
            self._sink.begin(message_id)
        except RuntimeError:
            self.lost_at = anyio.current_time()
            raise
        self.segments.append(Segment(message_id=message_id, began_at=anyio.current_time(), overlapped=overlapped))

    def write(self, message_id: str, pcm: bytes) -> None:
        segment = self._find(message_id)
        if segment and segment.cleared_at is None and segment.stopped_at is None:
            segment.written += pcm
        self._sink.write(message_id, pcm)

    def finish(self, message_id: str) -> None:
        segment = self._find(message_id)
        if segment and segment.finish_at is None:
            segment.finish_at = anyio.current_time()
        self._sink.finish(message_id)

    def clear(self, message_id: str) -> None:
        segment = self._find(message_id)
        if segment and segment.cleared_at is None:
            segment.cleared_at = anyio.current_time()
        self._sink.clear(message_id)

    def pause(self, message_id: str) -> None:
        self._sink.pause(message_id)

    def resume(self, message_id: str) -> None:
        self._sink.resume(message_id)

    async def run(self, report: Callable[[Report], None]) -> None:
        def listen(heard: Report) -> None:
            segment = None if isinstance(heard, Lost) else self._find(heard.message_id)
            if segment:
                self._note(heard, segment)
            told = self._tells(heard, segment) if segment else heard
            if told is None or self._loses(heard):
                return
            if not self._lag:
                self._tell(segment, told, report)
                return
            self._late.append((anyio.current_time() + self._lag, segment, told))
            self._news.set()

        if not self._lag:
            await self._sink.run(listen)
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._deliver, report)
            await self._sink.run(listen)
            tasks.cancel_scope.cancel()

    async def _deliver(self, report: Callable[[Report], None]) -> None:
        """What comes late, in its order."""
        while True:
            while not self._late:
                self._news = anyio.Event()
                await self._news.wait()
            await anyio.sleep_until(self._late[0][0])
            _, segment, told = self._late.popleft()
            self._tell(segment, told, report)

    def _tell(self, segment: Segment | None, told: Report, report: Callable[[Report], None]) -> None:
        if segment:
            segment.told.append((anyio.current_time(), told))
        elif isinstance(told, Lost):
            self.lost_at = anyio.current_time()
        report(told)

    def _note(self, report: Report, segment: Segment) -> None:
        match report:
            case Started(at=at):
                segment.started_at = at
            case Progress(frames=frames) | Starved(frames=frames) | Paused(frames=frames) | Finished(frames=frames):
                segment.frames = frames
            case Resumed() | Lost():
                pass
        if isinstance(report, Finished):
            segment.stopped_at = report.at

    def _find(self, message_id: str) -> Segment | None:
        return next((segment for segment in reversed(self.segments) if segment.message_id == message_id), None)
