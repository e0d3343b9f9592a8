"""The message actor: one assistant message, from its announcement to full, partial or skipped.

It exists before anybody plays it. Its audio waits in its own buffer until it has the floor and the sink has opened its
segment; from then on each delta goes straight on to the sink. When it is stopped it still counts what the server
generates for it, because the server holds that too.
"""

from collections.abc import Callable

import anyio

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.errors import LimitReached
from rtactors.events import (
    BYTES_PER_FRAME,
    AudioDelta,
    AudioDone,
    ErrorKind,
    ItemStatus,
    OutputDone,
    TextDelta,
    TextDone,
)
from rtactors.heard_text import heard_text
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import MessageText, Problem
from statecharts import message as chart
from statecharts.message import MESSAGE, MessageEvent


class MessageActor(ReactiveActor[mail.MessageMail]):
    """Plays one message and says what was heard of it."""

    def __init__(self, opened: mail.MessageOpened, ring: Ring, surroundings: Surroundings) -> None:
        super().__init__(opened.inbox, surroundings.publish, surroundings.reminders)
        self.id = opened.event.item.id
        self._ring = ring
        self._rate = surroundings.capabilities.output_rate
        self._deadlines = surroundings.deadlines
        self._bounds = surroundings.bounds
        self._life = MESSAGE.start(self.id)

        self._generated = 0  # bytes, all that the server sent
        self._told = 0  # bytes, of these the ledger knows
        self._waiting: list[bytes] = []  # PCM16 of whole frames that the sink has not been given
        self._half_frame = b""  # a piece may end in the middle of a frame
        self._text = ""
        self._spoken = True
        self._status: ItemStatus = "in_progress"

        self._has_floor = False
        self._paused = False
        self._asked_for_sink = False
        self._write: Callable[[bytes], None] | None = None
        self._finished: mail.SegmentFinished | None = None
        self._started_at: float | None = None
        self._stopped = False  # interrupted: nothing more goes to the sink
        self._cut_short = False  # stopped while the server was still making audio for it
        self._audio_over = False  # nothing more will come, or nothing more will be played
        self._text_over = False
        self._complete = False  # the server makes no more of it
        self._finish_sent = False
        self._successor = False
        self._starved = False
        self._deadline = self.remind(self._deadlines.silence, mail.MessageDeadline(0))

    def handle(self, message: mail.MessageMail) -> None:
        match message:
            case AudioDelta():
                self._on_audio(message.audio)
            case TextDelta():
                self._on_text(message)
            case TextDone():
                self._set_text(message.text)
                self._spoken = message.spoken
                self._on_text_over()
            case AudioDone():
                self._on_audio_over()
            case OutputDone():
                self._set_text(self._text or message.item.text)
                self._on_complete(message.item.status)
            case mail.GenerationEnded():
                self._on_complete("completed" if message.status == "completed" else "incomplete")
            case mail.TakeFloor():
                self._has_floor = True
                self._advance()
            case mail.InterruptMessage():
                self._on_interrupt()
            case mail.SuccessorBegan():
                self._successor = True
                self._advance()
            case mail.MessageDeadline():
                self._on_deadline(message)
            case mail.TextDeadline():
                self._on_text_over()
            case mail.CatchUp():
                self._ring.response.send(mail.CaughtUp(self.id))
            case mail.SetPaused():
                self._on_set_paused(paused=message.paused)
            case _:
                self._on_segment(message)
        if self._complete and self._final:
            self.ended = True
            self._ring.response.send(mail.MessageOver(self.id))

    # -- from the server

    def _on_audio(self, audio: bytes) -> None:
        if not audio:
            return
        first = not self._generated
        self._generated += len(audio)
        if self._stopped or self._audio_over or self._final:
            self._on_audio_dropped(len(audio))
            return
        if self._half_frame or len(audio) % BYTES_PER_FRAME:
            audio = self._half_frame + audio
            whole = len(audio) - len(audio) % BYTES_PER_FRAME
            audio, self._half_frame = audio[:whole], audio[whole:]
        if self._write is not None:
            self._starved = False
            self._write(audio)
        else:
            self._waiting.append(audio)
        if first:
            self._ring.response.send(mail.AudioBegan(self.id))
            self._advance()
        if self._generated > self._bounds.message_bytes:
            self._report(
                "other", f"has more than {self._bounds.message_bytes} bytes of audio; what comes now is not played"
            )
            self._cut_short = True
            self._on_audio_over()

    def _on_audio_dropped(self, size: int) -> None:
        """Not played, but the server holds it: the ledger is told once the server is known to hold more."""
        if self._life.state == "partial" and not self._complete and self._generated == self._told + size:
            self._tell_generated()

    def _on_text(self, delta: TextDelta) -> None:
        self._set_text(self._text + delta.text)
        self._spoken = delta.spoken
        self.publish(MessageText(self.id, delta.text))

    def _set_text(self, text: str) -> None:
        if len(text) > self._bounds.text:
            what = f"the server's message {self.id} has more than {self._bounds.text} characters (Bounds.text)"
            raise LimitReached(f"{what}: nobody could hear that much")
        self._text = text

    def _on_audio_over(self) -> None:
        self._audio_over = True
        if self._half_frame:
            self._half_frame = b""
            self._report("malformed", "ended in the middle of a frame; the odd byte was left out")
        self._advance()

    def _on_text_over(self) -> None:
        self._text_over = True
        self._conclude()

    def _on_complete(self, status: ItemStatus) -> None:
        if self._complete:
            return
        self._deadline.cancel()
        self._complete = self._text_over = True
        self._status = status
        self._on_audio_over()
        self._conclude()
        self._tell_generated()

    def _on_deadline(self, deadline: mail.MessageDeadline) -> None:
        if deadline.generated == self._generated:
            self._ring.response.send(mail.MessageStalled(self.id))
        self._deadline = self.remind(self._deadlines.silence, mail.MessageDeadline(self._generated))

    # -- from the response

    def _on_interrupt(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._cut_short = self._cut_short or not self._audio_over
        self._waiting.clear()
        if self._finished is None:
            self._fire(chart.Interrupted(segment_open=self._asked_for_sink))
        self._conclude()

    def _on_set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        if self._started_at is not None:  # before that there is nothing to hold
            self._ring.sink.send(mail.PauseSegment(self.id) if paused else mail.ResumeSegment(self.id))

    # -- from the sink

    def _on_segment(
        self,
        message: mail.SegmentBegun
        | mail.SegmentStarted
        | mail.SegmentProgress
        | mail.SegmentPaused
        | mail.SegmentResumed
        | mail.SegmentStarved
        | mail.SegmentFinished,
    ) -> None:
        match message:
            case mail.SegmentBegun():
                self._write = message.write
                for audio in self._waiting:
                    message.write(audio)
                self._waiting.clear()
                self._advance()
            case mail.SegmentStarted():
                self._started_at = message.at
                self._fire(chart.PlaybackStarted(message.at))
                self._ring.response.send(mail.MessagePlaying(self.id, message.at))
                if self._paused:
                    self._on_set_paused(paused=True)
            case mail.SegmentProgress():
                self._on_progress(message.frames)
            case mail.SegmentPaused():
                self._fire(chart.PlaybackPaused())
            case mail.SegmentResumed():
                self._fire(chart.PlaybackResumed())
            case mail.SegmentStarved():
                self._starved = True
                self._advance()
            case mail.SegmentFinished():
                self._finished = message
                self._write = None
                if not self._text_over:
                    self.remind(self._deadlines.text, mail.TextDeadline())
                self._conclude()

    def _on_progress(self, frames: int) -> None:
        if self._final:
            return
        heard_ms, generated_ms = self._ms(frames), self._ms(self._generated // BYTES_PER_FRAME)
        text = heard_text(self._text, heard_ms, generated_ms, complete=self._text_matches_audio)
        self._ring.context.send(mail.HeardSoFar(self.id, heard_ms, generated_ms, text, self._started_at))

    # -- what follows

    @property
    def _text_matches_audio(self) -> bool:
        """Whether its text is no longer than its audio. Of an item that broke off it is ahead, as while it is made.

        Of one that was stopped before its status was told nobody knows: its audio may have ended because it was.
        """
        cut_short = self._cut_short or self._stopped
        return self._status == "completed" or (self._status == "in_progress" and not cut_short)

    @property
    def _final(self) -> bool:
        return self._life.state in MESSAGE.final

    def _advance(self) -> None:
        """Do what has become possible: ask for the sink, let it play out, or end without it."""
        if not self._has_floor or self._stopped or self._final:
            return
        if self._generated >= BYTES_PER_FRAME:
            if not self._asked_for_sink:
                self._asked_for_sink = True
                self._ring.sink.send(mail.BeginSegment(self.id, self.inbox))
            elif self._write and not self._finish_sent and (self._audio_over or (self._starved and self._successor)):
                self._finish_sent = self._audio_over = True
                self._ring.sink.send(mail.FinishSegment(self.id))
        elif self._complete:
            if self._text and not self._spoken:
                self._fire(chart.Shown(self._text, anyio.current_time()))
            else:
                self._fire(chart.Emptied())

    def _conclude(self) -> None:
        """End once the sink has had its last word, and the text its time (an interruption doesn't wait for it)."""
        if self._finished is None or self._final or not (self._text_over or self._stopped or self._successor):
            return
        generated = self._generated // BYTES_PER_FRAME
        self._fire(
            chart.PlaybackFinished(
                heard_frames=self._finished.frames,
                generated_frames=generated,
                rate=self._rate,
                complete=not self._cut_short or self._status == "completed",
                stopped=self._stopped or self._cut_short,
                heard_text=heard_text(
                    self._text, self._ms(self._finished.frames), self._ms(generated), complete=self._text_matches_audio
                ),
                generated_text=self._text,
                started_at=self._started_at,
                stopped_at=self._finished.at,
                confirmed=self._finished.confirmed,
            )
        )

    def _fire(self, event: MessageEvent) -> None:
        was_final = self._final
        effects = self.fire(MESSAGE, self._life, event)
        if self._final and not was_final:
            self._tell_generated()
        for effect in effects:
            if isinstance(effect, chart.StopPlayback):
                self._ring.sink.send(mail.ClearSegment(effect.message_id))
            else:
                self._ring.context.send(effect)
        if self._final and not was_final:
            self._waiting.clear()
            self._ring.response.send(mail.MessageEnded(self.id))

    def _tell_generated(self) -> None:
        self._told = self._generated
        self._ring.context.send(
            mail.Generated(self.id, self._ms(self._generated // BYTES_PER_FRAME), self._text, self._status)
        )

    def _ms(self, frames: int) -> int:
        return frames * 1000 // self._rate

    def _report(self, kind: ErrorKind, what: str) -> None:
        self.publish(Problem(kind=kind, message=f"message {self.id} {what}", operation=self.id))
