"""What was heard, from the sink's own mouth: a record that nothing between sink and test can falsify.

ears = Ears(PacedSink())
async with Session(provider, sink=ears) as session: ...
for segment in ears.segments: print(segment.message_id, segment.heard_ms(ears.rate))
"""

from collections.abc import Callable

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
    told_frames: int = 0
    """The last position that the session was told: what it can know."""
    told: bool = False
    """True if the session was told the end, and that it is certain."""
    overlapped: bool = False
    """True if it began while another segment was neither over nor told to stop."""

    @property
    def audio(self) -> bytes:
        """PCM16 of what was heard."""
        return bytes(self.written[: self.frames * BYTES_PER_FRAME])

    def heard_ms(self, rate: int) -> int:
        """Whole ms, as servers and histories count."""
        return self.frames * 1000 // rate

    def told_ms(self, rate: int) -> int:
        """The same of what the session was told."""
        return self.told_frames * 1000 // rate


class Ears:
    """A sink that passes everything on to another, and writes down what that one played.

    `loses` chooses reports that don't get through to the session, as those of a device that has gone mute.
    """

    def __init__(self, sink: Sink, *, loses: Callable[[Report], bool] = lambda _report: False) -> None:
        self.segments: list[Segment] = []
        """In the order in which they began."""
        self._sink = sink
        self._loses = loses

    @property
    def rate(self) -> int:
        return self._sink.rate

    @property
    def heard(self) -> list[Segment]:
        """Those of which something was heard, in the order heard."""
        return [segment for segment in self.segments if segment.frames]

    def begin(self, message_id: str) -> None:
        overlapped = any(segment.stopped_at is None and segment.cleared_at is None for segment in self.segments)
        self.segments.append(Segment(message_id=message_id, overlapped=overlapped))
        self._sink.begin(message_id)

    def write(self, message_id: str, pcm: bytes) -> None:
        segment = self._find(message_id)
        if segment and segment.cleared_at is None and segment.stopped_at is None:
            segment.written += pcm
        self._sink.write(message_id, pcm)

    def finish(self, message_id: str) -> None:
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
            passes = not self._loses(heard)
            self._note(heard, told=passes)
            if passes:
                report(heard)

        await self._sink.run(listen)

    def _note(self, report: Report, *, told: bool) -> None:
        if isinstance(report, Lost) or not (segment := self._find(report.message_id)):
            return
        match report:
            case Started(at=at):
                segment.started_at = at
            case Progress(frames=frames) | Starved(frames=frames) | Paused(frames=frames) | Finished(frames=frames):
                segment.frames = frames
                if told:
                    segment.told_frames = frames
            case Resumed():
                pass
        if isinstance(report, Finished):
            segment.stopped_at = report.at
            segment.told = told and report.confirmed

    def _find(self, message_id: str) -> Segment | None:
        return next((segment for segment in reversed(self.segments) if segment.message_id == message_id), None)
