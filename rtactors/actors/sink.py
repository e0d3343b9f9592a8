"""The sink actor: the one segment in flight, and the only word on what was heard.

It gives a message the sink when asked to, passes the sink's reports to the message they name, and sees to it that each
segment ends: by the sink's own report, or, when that stays out, with the last position the sink did confirm.
"""

from collections.abc import Callable

import anyio

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.channels import Inbox
from rtactors.errors import RtactorsError, SinkLost
from rtactors.events import BYTES_PER_FRAME
from rtactors.ring import Ring, Surroundings
from rtactors.sinks import base as sinks
from statecharts import playback
from statecharts.playback import PLAYBACK, PlaybackEvent


class _Segment:
    """What one message has at the sink."""

    __slots__ = ("_sink", "confirmed", "finished", "message_id", "orders", "owner", "written")

    def __init__(self, message_id: str, owner: Inbox[mail.MessageMail], sink: sinks.Sink) -> None:
        self.message_id = message_id
        self.owner = owner
        self.written = 0
        self.confirmed = 0
        self.finished = False
        self.orders = 0
        self._sink = sink

    def write(self, pcm: bytes) -> None:
        self.written += len(pcm) // BYTES_PER_FRAME
        self._sink.write(self.message_id, pcm)


class SinkActor(ReactiveActor[mail.SinkMail]):
    """Owns the sink. One segment is in flight at a time; asking for a second one is a defect and raises."""

    def __init__(
        self, ring: Ring, surroundings: Surroundings, *, sink: sinks.Sink, fail: Callable[[RtactorsError], None]
    ) -> None:
        super().__init__(ring.sink, surroundings.publish, surroundings.clock)
        self._sink = sink
        self._fail = fail
        self._deadlines = surroundings.deadlines
        self._life = PLAYBACK.start("sink")
        self._segment: _Segment | None = None

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._play)
            await super().run()

    async def _play(self) -> None:
        await self._sink.run(self.inbox.send)
        self.inbox.send(sinks.Lost("the sink stopped by itself"))

    def handle(self, message: mail.SinkMail) -> None:
        match message:
            case sinks.Progress() | sinks.Starved() | sinks.Paused() | sinks.Resumed():
                self._on_position(message)
            case mail.BeginSegment():
                self._on_begin(message)
            case sinks.Lost():
                self._on_lost(message)
            case _:
                self._on_segment(message)

    def _on_begin(self, message: mail.BeginSegment) -> None:
        if self._segment is not None:
            raise RuntimeError(f"{message.message_id} wants the sink while {self._segment.message_id} plays")
        if self._life.state == "lost":
            message.owner.urgent(mail.SegmentEnded(0, anyio.current_time(), confirmed=False))
            return
        self._segment = _Segment(message.message_id, message.owner, self._sink)
        self._fire(playback.Begin(message.message_id))

    def _on_segment(
        self,
        message: mail.FinishSegment
        | mail.ClearSegment
        | mail.PauseSegment
        | mail.ResumeSegment
        | mail.SinkDeadline
        | sinks.Started
        | sinks.Finished,
    ) -> None:
        segment, message_id = self._segment, message.message_id
        if segment is None or segment.message_id != message_id:
            return  # about a segment that is over
        match message:
            case mail.FinishSegment():
                segment.finished = True
                self._fire(playback.Finish(message_id))
                self._watch_the_end(segment)
            case mail.ClearSegment():
                self._fire(playback.Clear(message_id))
                self._watch(segment, self._deadlines.sink)
            case mail.PauseSegment():
                segment.orders += 1
                self._fire(playback.Pause(message_id))
            case mail.ResumeSegment():
                self._fire(playback.Resume(message_id))
                if segment.finished:
                    self._watch_the_end(segment)
            case sinks.Started():
                self._fire(playback.Started(message_id, message.at))
            case sinks.Finished():
                segment.confirmed = min(max(message.frames, segment.confirmed), segment.written)
                self._fire(playback.Ended(message_id, segment.confirmed, message.at, message.confirmed))
            case mail.SinkDeadline():
                if message.order == segment.orders:
                    self._fire(playback.Expired(message_id, segment.confirmed, anyio.current_time()))

    def _on_position(self, report: sinks.Progress | sinks.Starved | sinks.Paused | sinks.Resumed) -> None:
        segment = self._segment
        if segment is None or segment.message_id != report.message_id:
            return
        if not isinstance(report, sinks.Resumed):
            segment.confirmed = min(max(report.frames, segment.confirmed), segment.written)
        match report:
            case sinks.Starved() if report.frames >= segment.written:  # else more was written since
                segment.owner.urgent(mail.SegmentStarved())
            case sinks.Paused():
                segment.owner.urgent(mail.SegmentPaused(report.frames))
            case sinks.Resumed():
                segment.owner.urgent(mail.SegmentResumed())
            case _:
                pass

    def _on_lost(self, report: sinks.Lost) -> None:
        segment = self._segment
        self._fire(
            playback.Lost(
                segment.message_id if segment else "", segment.confirmed if segment else 0, anyio.current_time()
            )
        )
        self._fail(SinkLost(f"the audio device is gone: {report.reason}"))

    def _watch_the_end(self, segment: _Segment) -> None:
        """A segment that is to play out has the time its audio takes, and some to spare."""
        seconds = (segment.written - segment.confirmed) / self._sink.rate
        self._watch(segment, seconds * 1.1 + self._deadlines.sink)

    def _watch(self, segment: _Segment, seconds: float) -> None:
        segment.orders += 1
        self.remind(seconds, mail.SinkDeadline(segment.message_id, segment.orders))

    def _open(self, segment: _Segment) -> None:
        try:
            self._sink.begin(segment.message_id)
        except RuntimeError as refusal:  # it never let go of the message before
            self._on_lost(sinks.Lost(str(refusal)))
        else:
            segment.owner.urgent(mail.SegmentOpened(segment.write))

    def _fire(self, event: PlaybackEvent) -> None:
        segment = self._segment
        for effect in self.fire(PLAYBACK, self._life, event):
            if segment is None:
                raise RuntimeError(f"{effect!r} without a segment")
            match effect:
                case playback.OpenSegment():
                    self._open(segment)
                case playback.FinishSegment():
                    self._sink.finish(effect.message_id)
                case playback.ClearSegment():
                    self._sink.clear(effect.message_id)
                case playback.PauseSegment():
                    self._sink.pause(effect.message_id)
                case playback.ResumeSegment():
                    self._sink.resume(effect.message_id)
                case playback.TellStarted():
                    segment.owner.urgent(mail.SegmentStarted(effect.at))
                case playback.TellEnded():
                    self._segment = None
                    segment.owner.urgent(mail.SegmentEnded(effect.frames, effect.at, effect.confirmed))
