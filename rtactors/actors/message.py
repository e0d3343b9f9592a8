"""The message actor: one assistant message, from its announcement to full, partial or skipped.

It exists before anybody plays it. Its audio waits in its own buffer until it has the floor and the sink has opened its
segment; from then on each delta goes straight on to the sink. When it is stopped it still counts what the server
generates for it, because the server holds that too.

Text that no audio of the server's goes with is shown from when it has the floor, as it comes. Where the session has a
voice, that is asked to speak it, sentence by sentence and ahead of the floor; its audio is then like any other, but the
server knows nothing of it.
"""

from collections import deque
from collections.abc import Callable

import anyio
from msgspec.structs import replace

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.actors.audio_batch import AudioBatch
from rtactors.content import Content, Kind, Place
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
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import MessageShown, MessageText, Problem, SpeechWanted
from statecharts import message as chart
from statecharts.message import MESSAGE, MessageEvent

_MOST_STRETCHES = 8192
"""Parts of one message, and sentences of those that a voice speaks."""


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

        self._content = Content(self._rate)
        self._batch = AudioBatch(self.id, self._ring.transcript, self._rate)
        self._ending: chart.PlaybackFinished | None = None  # while the transcript actor is asked what was heard
        self._characters = 0
        self._generated = 0  # bytes of audio, all that the server or the voice gave
        self._told = 0  # bytes, of these the ledger knows
        self._waiting: list[bytes] = []  # PCM16 of whole frames that the sink has not been given
        self._half_frame = b""  # a piece may end in the middle of a frame
        self._behind_voice: deque[AudioDelta] = deque()  # what the server speaks behind what the voice is to speak
        self._voiced = surroundings.voiced
        self._status: ItemStatus = "in_progress"

        self._has_floor = False
        self._paused = False
        self._began = False
        self._asked_for_sink = False
        self._write: Callable[[bytes], None] | None = None
        self._finished: mail.SegmentFinished | None = None
        self._started_at: float | None = None
        self._shown_at = 0.0
        self._stopped = False  # interrupted: nothing more goes to the sink, and nothing more is shown
        self._too_long = False  # it was stopped because of its size
        self._cut_short = False  # stopped while there was more audio to come for it
        self._audio_over = False  # nothing more will come, or nothing more will be played
        self._text_late = False
        self._complete = False  # the server makes no more of it
        self._finish_sent = False
        self._successor = False
        self._starved = False
        self._deadline = self.remind(self._deadlines.silence, mail.MessageDeadline(0))

    def handle(self, message: mail.MessageMail) -> None:
        match message:
            case AudioDelta():
                self._on_audio(message)
            case TextDelta():
                self._on_text(message)
            case TextDone():
                self._on_text_done(message)
            case AudioDone():
                self._content.end_audio(message.part)
                self._drop_half_frame()
                self._batch.flush()
                self._advance()
            case OutputDone():
                if not self._content.text:
                    self._add_text(TextDelta("", self.id, message.item.text, part=self._content.last_part))
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
            case mail.SpokenAudio():
                self._on_spoken(message)
            case mail.VoiceFailed():
                self._on_voice_failed(message.reason)
            case mail.MessageDeadline():
                self._on_deadline(message)
            case mail.TextDeadline():
                self._text_late = True
                self._conclude()
            case mail.TranscriptEnded():
                if self._ending:
                    self._fire(replace(self._ending, heard_text=message.heard_text))
            case mail.SetPaused():
                self._on_set_paused(paused=message.paused)
            case _:
                self._on_segment(message)
        if self._complete and self._final:
            self.ended = True
            self._ring.response.send(mail.MessageOver(self.id))

    # -- from the server

    def _on_audio(self, delta: AudioDelta) -> None:
        size = len(delta.audio)
        if not size:
            return
        stretch = self._content.spoken(delta.part)
        stretch.size += size
        first = self._count(size)
        if self._audio_over or stretch.audio_over:
            self._on_audio_dropped(delta)
        elif self._voiced and not self._content.is_next(delta.part):
            self._behind_voice.append(delta)
        else:
            self._play(stretch.place, delta.audio)
            if first:
                self._advance()
            if self._generated > self._bounds.message_bytes:
                self._on_too_long()

    def _count(self, size: int) -> bool:
        """Whether it is the first of all."""
        first = not self._generated
        self._generated += size
        if first:
            self._begin()
        return first

    def _play(self, place: Place, audio: bytes) -> None:
        """Let the sink have it, or keep it until that takes this message."""
        if self._half_frame or len(audio) % BYTES_PER_FRAME:
            audio = self._whole_frames(audio)
            if not audio:  # to the sink it would be nothing, and nothing is no end of a starvation
                return
        self._batch.add(place, audio)
        if self._write is not None:
            self._starved = False
            self._write(audio)
        else:
            self._waiting.append(audio)

    def _whole_frames(self, audio: bytes) -> bytes:
        """What came before and this, without what is not whole yet."""
        audio = self._half_frame + audio
        whole = len(audio) - len(audio) % BYTES_PER_FRAME
        self._half_frame = audio[whole:]
        return audio[:whole]

    def _on_too_long(self) -> None:
        if not self._audio_over:
            self._report(
                "other", f"has more than {self._bounds.message_bytes} bytes of audio; what comes now is not played"
            )
            self._cut_short = self._too_long = True
            self._on_audio_over()

    def _on_audio_dropped(self, delta: AudioDelta) -> None:
        """Not played, but the server holds it: the ledger is told once the server is known to hold more.

        It also says how far the text goes on behind what was heard.
        """
        if self._stopped and self._ending is None and not self._too_long:
            self._batch.add(self._content.spoken(delta.part).place, self._whole_frames(delta.audio))
        if self._life.state == "partial" and not self._complete and self._generated == self._told + len(delta.audio):
            self._tell_generated()

    def _on_text(self, delta: TextDelta) -> None:
        self._add_text(delta)
        self.publish(MessageText(self.id, delta.text))
        self._on_text_added(delta)

    def _on_text_done(self, done: TextDone) -> None:
        self._check_length(self._characters + len(done.text) - len(self._content.text_of(done.part)))
        corrected = done.text != self._content.text_of(done.part)
        self._content.end_text(done.part, done.text, self._kind(done))
        self._characters = len(self._content.text)
        if done.spoken:
            place, text = self._content.spoken(done.part).place, done.text if corrected else ""
            self._tell_transcript(mail.TranscriptText(self.id, place, text, anew=corrected, over=True))
        self._on_text_added(done)
        self._conclude()

    def _on_text_added(self, text: TextDelta | TextDone) -> None:
        if not text.spoken:
            self._begin()
            self._ask_voice(over=isinstance(text, TextDone))
            self._advance()

    def _kind(self, text: TextDelta | TextDone) -> Kind:
        """What becomes of it."""
        return "spoken" if text.spoken else "voiced" if self._voiced else "shown"

    def _add_text(self, delta: TextDelta) -> None:
        self._characters += len(delta.text)
        self._check_length(self._characters)
        self._content.add_text(delta.part, delta.text, self._kind(delta))
        if delta.spoken:
            place = self._content.spoken(delta.part).place
            timed = mail.TranscriptText(self.id, place, delta.text, start_ms=delta.start_ms, end_ms=delta.end_ms)
            self._tell_transcript(timed)

    def _check_length(self, characters: int) -> None:
        what = f"the server's message {self.id} has more than"
        if characters > self._bounds.text:
            raise LimitReached(f"{what} {self._bounds.text} characters (Bounds.text): nobody could hear that much")
        if len(self._content) > _MOST_STRETCHES:
            raise LimitReached(f"{what} {_MOST_STRETCHES} parts and sentences: nobody could hear that much")

    def _begin(self) -> None:
        if not self._began:
            self._began = True
            self._ring.response.send(mail.AudioBegan(self.id))

    def _on_audio_over(self) -> None:
        self._audio_over = True
        self._drop_half_frame()
        self._advance()

    def _drop_half_frame(self) -> None:
        if self._half_frame:
            self._half_frame = b""
            self._report("malformed", "ended in the middle of a frame; the odd byte was left out")

    def _on_complete(self, status: ItemStatus) -> None:
        if self._complete:
            return
        self._deadline.cancel()
        self._complete = True
        self._status = status
        if not self._stopped:
            self._tell_audio_over()
        self._ask_voice(over=True)
        self._on_all_there()
        self._conclude()
        self._tell_generated()

    def _on_all_there(self) -> None:
        """All the text has come; if it is for a voice, has that spoken?"""
        if self._complete and not self._content.awaits_voice:
            if not self._generated:  # the voice had nothing to say of it
                self._show_instead()
            self._on_audio_over()

    def _on_deadline(self, deadline: mail.MessageDeadline) -> None:
        made = self._generated + self._characters
        if deadline.generated == made:
            self._ring.response.send(mail.MessageStalled(self.id))
        self._deadline = self.remind(self._deadlines.silence, mail.MessageDeadline(made))

    # -- from the session's voice

    def _ask_voice(self, *, over: bool = False) -> None:
        """For the sentences that are there; `over`: also for one that has no end."""
        if self._voiced and not self._stopped and not self._final:
            for number, sentence in self._content.wanted(over=over):
                place = self._content.voiced_place(number)
                self._tell_transcript(mail.TranscriptText(self.id, place, sentence, over=True))
                self.publish(SpeechWanted(self.id, number, sentence))

    def _on_spoken(self, spoken: mail.SpokenAudio) -> None:
        if not self._voiced or not self._content.add_voice(spoken.number, len(spoken.pcm), over=spoken.over):
            return
        first = self._count(len(spoken.pcm))
        if not self._audio_over:
            place = self._content.voiced_place(spoken.number)
            self._play(place, spoken.pcm)
            if spoken.over:
                self._batch.flush()
                self._tell_transcript(mail.TranscriptAudio(self.id, place, b"", over=True))
                self._on_sentence_over()
            if first:
                self._advance()
            if self._generated > self._bounds.message_bytes:
                self._on_too_long()
        self._on_all_there()

    def _on_sentence_over(self) -> None:
        """What the server speaks behind it may follow."""
        self._drop_half_frame()
        while self._behind_voice and self._content.is_next(self._behind_voice[0].part):
            delta = self._behind_voice.popleft()
            self._play(self._content.spoken(delta.part).place, delta.audio)

    def _on_voice_failed(self, reason: str) -> None:
        """What it has not said is shown, and what is yet to come."""
        if self._voiced:
            self._voiced = False
            self._report("other", f"could not be spoken, and is shown: {reason}")
            self._show_instead()
            self._on_sentence_over()
            self._on_all_there()
            self._advance()

    def _show_instead(self) -> None:
        self._batch.flush()
        for place, said in self._content.show_instead():
            self._tell_transcript(mail.TranscriptText(self.id, place, said, anew=True, over=True))
            self._tell_transcript(mail.TranscriptAudio(self.id, place, b"", over=True))

    # -- from the response

    def _on_interrupt(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._cut_short = self._cut_short or not self._audio_over
        self._audio_over = True
        self._waiting.clear()
        self._behind_voice.clear()
        if self._life.state == "showing" and not self._asked_for_sink:
            self._finish_showing()
        elif self._finished is None:
            self._fire(chart.Interrupted(segment_open=self._asked_for_sink))
        self._conclude()

    def _on_set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        if self._started_at is not None:  # before that there is nothing to hold
            self._ring.sink.send(mail.PauseSegment(self.id) if paused else mail.ResumeSegment(self.id))
        self._advance()

    # -- from the sink

    def _on_segment(
        self,
        message: mail.SegmentBegun
        | mail.SegmentStarted
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
            case mail.SegmentPaused():
                self._fire(chart.PlaybackPaused())
            case mail.SegmentResumed():
                self._fire(chart.PlaybackResumed())
            case mail.SegmentStarved():
                self._starved = True
                self._batch.flush()
                self._advance()
            case mail.SegmentFinished():
                self._finished = message
                self._write = None
                if not self._text_over:
                    self.remind(self._deadlines.text, mail.TextDeadline())
                self._conclude()

    # -- what follows

    @property
    def _text_matches_audio(self) -> bool:
        """Whether its text is no longer than its audio. Of an item that broke off it is ahead, as while it is made.

        Of one that was stopped before its status was told nobody knows: its audio may have ended because it was.
        """
        cut_short = self._cut_short or self._stopped
        return self._status == "completed" or (self._status == "in_progress" and not cut_short)

    @property
    def _text_over(self) -> bool:
        return self._complete or self._text_late or self._content.text_over

    @property
    def _final(self) -> bool:
        return self._life.state in MESSAGE.final

    def _advance(self) -> None:
        """Do what has become possible: show it, ask for the sink, let it play out, or end without it."""
        if not self._has_floor or self._stopped or self._final:
            return
        if not self._paused:
            self._show()
        if self._generated >= BYTES_PER_FRAME:
            if not self._asked_for_sink:
                self._asked_for_sink = True
                self._ring.sink.send(mail.BeginSegment(self.id, self.inbox))
            elif self._write and not self._finish_sent and (self._audio_over or (self._starved and self._may_be_over)):
                self._finish_sent = self._audio_over = True
                self._ring.sink.send(mail.FinishSegment(self.id))
        elif self._complete and not (self._content.awaits_voice or self._content.unshown):
            if self._life.state == "showing":
                self._finish_showing()
            else:
                self._fire(chart.Emptied())

    @property
    def _may_be_over(self) -> bool:
        """Whether no more audio is to be expected of it, though nobody has said that it is complete."""
        return self._successor and not self._content.voiced

    def _show(self) -> None:
        """Show what is there to be shown."""
        shown = self._content.show()
        if not shown:
            return
        for place, text in shown:
            self._tell_transcript(mail.TranscriptShown(self.id, place, text, anyio.current_time()))
        if self._life.state == "pending":
            self._shown_at = anyio.current_time()
            self._fire(chart.Shown(self._shown_at))
            self._ring.response.send(mail.MessageShowing(self.id))
        self.publish(MessageShown(self.id, "".join(text for _, text in shown)))

    def _finish_showing(self) -> None:
        """Nothing of it sounds."""
        self._fire(
            chart.ShowingFinished(
                shown_text=self._content.shown_text,
                generated_text=self._content.text,
                complete=self._complete,
                started_at=self._shown_at,
                stopped_at=anyio.current_time(),
            )
        )

    def _conclude(self) -> None:
        """End once the sink has had its last word, and the text its time (an interruption doesn't wait for it).

        Which words were heard is the transcript actor's to say.
        """
        if self._finished is None or self._ending or not (self._text_over or self._stopped or self._successor):
            return
        self._tell_audio_over()
        self._batch.close()
        frames, content = self._finished.frames, self._content
        part, part_frames = content.cut(frames)
        awaits_voice = content.awaits_voice
        self._ending = chart.PlaybackFinished(
            heard_frames=frames,
            generated_frames=self._generated // BYTES_PER_FRAME,
            rate=self._rate,
            complete=not awaits_voice and (not self._cut_short or self._status == "completed"),
            stopped=self._stopped or self._cut_short,
            generated_text=content.text,
            started_at=self._started_at,
            stopped_at=self._finished.at,
            confirmed=self._finished.confirmed,
            part=part,
            part_frames=part_frames,
            shown=content.shown,
            unshown=content.unshown,
            voiced=content.voiced,
        )
        interrupted = not chart.heard_everything(self._ending)
        self._ring.transcript.send(mail.EndTranscript(self.id, frames, interrupted, self.inbox))

    def _tell_transcript(self, told: mail.TranscriptMail) -> None:
        """Unless it has been asked already what was heard."""
        if self._ending is None and not self._final:
            self._ring.transcript.send(told)

    def _tell_audio_over(self) -> None:
        """Of what the server speaks, if its text ends where its audio does."""
        self._batch.flush()
        if self._text_matches_audio and not self._too_long:
            for place in self._content.spoken_places:
                self._tell_transcript(mail.TranscriptAudio(self.id, place, b"", over=True))

    def _fire(self, event: MessageEvent) -> None:
        was_final = self._final
        effects = self.fire(MESSAGE, self._life, event)
        if self._final and not was_final:
            self._audio_over = True
            self._tell_generated()
        for effect in effects:
            if isinstance(effect, chart.StopPlayback):
                self._ring.sink.send(mail.ClearSegment(effect.message_id))
            else:
                self._ring.context.send(effect)
        if self._final and not was_final:
            if self._ending is None:
                self._batch.close()
                self._ring.transcript.send(mail.ForgetTranscript(self.id))
            self._waiting.clear()
            self._ring.response.send(mail.MessageEnded(self.id))

    def _tell_generated(self) -> None:
        self._told = self._generated
        self._ring.context.send(
            mail.Generated(
                self.id,
                self._ms(self._generated // BYTES_PER_FRAME),
                self._content.text,
                self._status,
                self._content.last_part,
            )
        )

    def _ms(self, frames: int) -> int:
        return frames * 1000 // self._rate

    def _report(self, kind: ErrorKind, what: str) -> None:
        self.publish(Problem(kind=kind, message=f"message {self.id} {what}", operation=self.id))
