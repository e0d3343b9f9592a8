"""The sink actor: the one segment in flight, and the only word on what was heard.

It gives a message the sink when asked to, and passes the sink's reports on: to the message that they name, and to the
transcript actor, which follows the position. It sees to it that each segment ends: by the sink's own report, or, when
that stays out, with the last position the sink did confirm.
"""

from collections.abc import Callable

import anyio

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.channels import Inbox
from rtactors.errors import RtactorsError, SinkLost
from rtactors.events import BYTES_PER_FRAME
from rtactors.reminders import Reminder
from rtactors.ring import Ring, Surroundings
from rtactors.sinks import base as sinks
from statecharts import playback
from statecharts.playback import PLAYBACK, PlaybackEvent


class _Segment:
    """What one message has at the sink. Positions are frames of that message."""

    def __init__(self, message_id: str, owner: Inbox[mail.MessageMail], sink: sinks.Sink) -> None:
        self.life = PLAYBACK.start(message_id)
        self.owner = owner
        self.written = 0
        self.confirmed = 0
        self.told = 0
        """The position that was passed on."""
        self.finishing = False
        self.expected_from = 0  # where it was when it was given the time to play out
        self.deadline: Reminder | None = None
        self._sink = sink

    def write(self, pcm: bytes) -> None:
        self.written += len(pcm) // BYTES_PER_FRAME
        self._sink.write(self.life.id, pcm)

    def confirm(self, frames: int) -> int:
        """What was heard, by the sink's word: never less than before, never more than was written."""
        self.confirmed = min(max(frames, self.confirmed), self.written)
        return self.confirmed


class SinkActor(ReactiveActor[mail.SinkMail]):
    """Owns the sink. One segment is in flight at a time; asking for a second one is a defect and raises."""

    def __init__(
        self, ring: Ring, surroundings: Surroundings, *, sink: sinks.Sink, fail: Callable[[RtactorsError], None]
    ) -> None:
        super().__init__(ring.sink, surroundings.publish, surroundings.reminders)
        self._deadlines = surroundings.deadlines
        self._sink = sink
        self._transcript = ring.transcript
        self._fail = fail
        self._segment: _Segment | None = None
        self._lost = False

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._play)
            await super().run()

    async def _play(self) -> None:
        await self._sink.run(self._hear)
        self.inbox.send(sinks.Lost("the sink stopped by itself"))

    def _hear(self, report: sinks.Report) -> None:
        """What comes often takes no hop. The rest may make us call the sink, which would be in the midst of telling.

        Nor does anybody ask for the time then: a device may tell its position outside of any task.
        """
        if isinstance(report, sinks.Progress) and report.at is not None:
            self.inbox.hand(report)
        else:
            self.inbox.send(report)

    def handle(self, message: mail.SinkMail) -> None:
        match message:
            case mail.BeginSegment():
                self._on_begin(message)
            case sinks.Lost():
                self._on_lost(message.reason)
            case _:
                segment = self._segment
                if segment is not None and segment.life.id == message.message_id:  # else it is about one that is over
                    self._on_segment(segment, message)

    def _on_begin(self, message: mail.BeginSegment) -> None:
        if self._segment is not None:
            raise RuntimeError(f"{message.message_id} wants the sink while {self._segment.life.id} plays")
        if self._lost:
            message.owner.urgent(mail.SegmentFinished(0, anyio.current_time(), confirmed=False))
            return
        self._segment = _Segment(message.message_id, message.owner, self._sink)
        try:
            self._sink.begin(message.message_id)
        except RuntimeError as refusal:  # it never let go of the message before
            self._on_lost(str(refusal))
        else:
            message.owner.urgent(mail.SegmentBegun(self._segment.write))

    def _on_lost(self, reason: str) -> None:
        self._lost = True
        if self._segment is not None:
            self._fire(self._segment, playback.Lost(self._segment.confirmed, anyio.current_time()))
        self._fail(SinkLost(f"the audio device is gone: {reason}"))

    def _on_segment(self, segment: _Segment, message: mail.SegmentMail) -> None:
        match message:
            case sinks.Progress():
                self._tell_position(segment, message.frames, message.at)
            case sinks.Starved():
                self._tell_position(segment, message.frames, message.at)
                if segment.confirmed == segment.written:  # else more was written since
                    segment.owner.urgent(mail.SegmentStarved())
            case sinks.Started():
                self._fire(segment, playback.Started(message.at))
            case sinks.Paused():
                segment.told = segment.confirm(message.frames)
                self._transcript.send(sinks.Paused(message.message_id, segment.told, message.at))
                segment.owner.urgent(mail.SegmentPaused())
            case sinks.Resumed():
                self._transcript.send(message)
                segment.owner.urgent(mail.SegmentResumed())
            case sinks.Finished():
                heard = segment.confirm(message.frames)
                self._fire(segment, playback.Finished(heard, message.at, message.confirmed))
            case mail.FinishSegment():
                segment.finishing = True
                self._fire(segment, playback.Finish())
            case mail.ClearSegment():
                self._fire(segment, playback.Clear())
            case mail.PauseSegment():
                self._fire(segment, playback.Pause())
            case mail.ResumeSegment():
                self._fire(segment, playback.Resume())
            case mail.SinkDeadline():
                if segment.life.state == "playing" and segment.confirmed > segment.expected_from:
                    self._expect_the_end(segment)  # it is slow, but it plays
                else:
                    self._fire(segment, playback.Expired(segment.confirmed, anyio.current_time()))

    def _tell_position(self, segment: _Segment, frames: int, at: float | None) -> None:
        if segment.confirm(frames) > segment.told:
            segment.told = segment.confirmed
            self._transcript.hand(sinks.Progress(segment.life.id, segment.confirmed, at))

    def _expect_the_end(self, segment: _Segment) -> None:
        """A segment that is to play out has the time its audio takes, and some to spare."""
        segment.expected_from = segment.confirmed
        seconds = (segment.written - segment.confirmed) / self._sink.rate
        self._expect(segment, seconds * 1.1 + self._deadlines.sink)

    def _expect(self, segment: _Segment, seconds: float | None) -> None:
        """The sink's last report is due in so many seconds; None: not to be said."""
        if segment.deadline:
            segment.deadline.cancel()
        segment.deadline = None if seconds is None else self.remind(seconds, mail.SinkDeadline(segment.life.id))

    def _fire(self, segment: _Segment, event: PlaybackEvent) -> None:
        message_id = segment.life.id
        for effect in self.fire(PLAYBACK, segment.life, event):
            match effect:
                case playback.FinishAtSink():
                    self._sink.finish(message_id)
                    if segment.life.state != "paused":
                        self._expect_the_end(segment)
                case playback.ClearAtSink():
                    self._sink.clear(message_id)
                    self._expect(segment, self._deadlines.sink)
                case playback.PauseAtSink():
                    self._sink.pause(message_id)
                    self._expect(segment, None)
                case playback.ResumeAtSink():
                    self._sink.resume(message_id)
                    if segment.finishing:
                        self._expect_the_end(segment)
                case playback.TellStarted():
                    self._transcript.send(sinks.Started(message_id, effect.at))
                    segment.owner.urgent(mail.SegmentStarted(effect.at))
                case playback.TellFinished():
                    self._segment = None
                    self._expect(segment, None)
                    self._transcript.send(sinks.Finished(message_id, effect.frames, effect.at, effect.confirmed))
                    segment.owner.urgent(mail.SegmentFinished(effect.frames, effect.at, effect.confirmed))
