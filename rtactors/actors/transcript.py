"""The transcript actor: tells the words of each message as they are heard, and in the end which of them were.

It gets text and audio from the messages, which say whose they are, and the position from the sink actor. So captions
are never ahead of the ears, stop where playback stops, and belong to the message that is named, whatever else is under
way. The last words of a message that has played out may trail it: they wait for their text, as its message does.
"""

import anyio
from msgspec.structs import replace

from rtactors import mail
from rtactors.actor import ReactiveActor
from rtactors.alignment.base import Aligner
from rtactors.reminders import Reminder
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import Caption, CaptionsEnded
from rtactors.sinks import base as sinks
from rtactors.transcript import Transcript
from statecharts import transcript as chart
from statecharts.transcript import TRANSCRIPT

_JOURNAL_MS = 250
"""How often the journal is told what was heard, if there is one: so much of a message may be lost with the process."""


class _Message:
    """What is heard of one message."""

    def __init__(self, id: str, transcript: Transcript) -> None:
        self.life = TRANSCRIPT.start(id)
        self.transcript = transcript
        self.captions: list[Caption] = []
        self.frames = 0  # heard so far
        self.at: float | None = None  # when that was so, by the sink's word
        self.started_at: float | None = None
        """When the first of it was heard, or shown."""
        self.sounds_from: float | None = None
        """When the first of its audio was."""
        self.journal_ms = 0  # of what was heard, so much the journal was told
        self.deadline: Reminder | None = None  # by which the journal is to be told what was shown


class TranscriptActor(ReactiveActor[mail.TranscriptMail]):
    """Publishes `Caption` and `CaptionsEnded`; tells messages their heard text, the journal what was heard so far."""

    def __init__(self, ring: Ring, surroundings: Surroundings, *, aligner: Aligner) -> None:
        super().__init__(ring.transcript, surroundings.publish, surroundings.reminders)
        self._ring = ring
        self._rate = surroundings.capabilities.output_rate
        self._cut_mark = surroundings.cut_mark
        self._aligner = aligner
        self._messages: dict[str, _Message] = {}

    def handle(self, message: mail.TranscriptMail) -> None:
        followed = self._messages.get(message.message_id)
        if followed is None:
            if isinstance(message, mail.ForgetTranscript):
                return
            followed = _Message(message.message_id, Transcript(self._rate, self._aligner))
            self._messages[message.message_id] = followed
        match message:
            case mail.TranscriptText():
                times = None if message.start_ms is None else (message.start_ms, message.end_ms)
                followed.transcript.add_text(
                    message.place, message.text, times=times, anew=message.anew, over=message.over
                )
                self._tell_words(followed)  # what of it was heard already
            case mail.TranscriptAudio():
                late = followed.frames > followed.transcript.frames  # it was heard before it was told here
                followed.transcript.add_audio(message.place, message.pcm, over=message.over)
                if late and not message.more:
                    self._tell_words(followed)
            case mail.TranscriptShown():
                self._on_shown(followed, message)
            case sinks.Started():
                followed.sounds_from = message.at
                if followed.started_at is None:
                    followed.started_at = message.at
                self.fire(TRANSCRIPT, followed.life, chart.SpeechStarted())
            case sinks.Progress():
                self._on_position(followed, message.frames, message.at)
            case sinks.Paused():
                self._on_position(followed, message.frames, message.at, paused=True)
                self.fire(TRANSCRIPT, followed.life, chart.SpeechPaused())
            case sinks.Resumed():
                self.fire(TRANSCRIPT, followed.life, chart.SpeechResumed())
            case sinks.Finished():
                self.fire(TRANSCRIPT, followed.life, chart.SpeechFinished())
                self._on_position(followed, message.frames, message.at)
            case mail.ShowingDeadline():
                followed.deadline = None
                self._tell_journal(followed)
            case mail.EndTranscript():
                self._end(followed, message)
            case mail.ForgetTranscript():
                self._settle(followed, chart.Settled(heard_text="", interrupted=False, sounded=False))

    def _on_shown(self, followed: _Message, shown: mail.TranscriptShown) -> None:
        followed.transcript.show(shown.place, shown.text)
        if followed.started_at is None:
            followed.started_at = shown.at
        if self._ring.journal and not followed.deadline:
            followed.deadline = self.remind(_JOURNAL_MS / 1000, mail.ShowingDeadline(followed.life.id))

    def _on_position(self, followed: _Message, frames: int, at: float | None, *, paused: bool = False) -> None:
        followed.frames, followed.at = frames, at
        self._tell_words(followed)
        heard_ms = self._ms(frames)
        if paused or heard_ms // _JOURNAL_MS > followed.journal_ms // _JOURNAL_MS:
            self._tell_journal(followed)

    def _tell_words(self, followed: _Message) -> None:
        """Those that have begun."""
        if followed.life.state == "waiting":
            return
        for word in followed.transcript.follow(followed.frames):
            since_ms = self._ms(followed.frames) - word.start_ms
            at = anyio.current_time() if followed.at is None else followed.at - since_ms / 1000
            earliest = followed.captions[-1].at if followed.captions else followed.sounds_from
            at = at if earliest is None else max(at, earliest)
            caption = Caption(followed.life.id, word.text, word.start_ms, word.end_ms, at, word.estimated)
            followed.captions.append(caption)
            self.publish(caption)

    def _tell_journal(self, followed: _Message) -> None:
        if not self._ring.journal:
            return
        followed.journal_ms = self._ms(followed.frames)
        text, _ = followed.transcript.heard(followed.frames)
        generated_ms = self._ms(followed.transcript.frames)
        so_far = mail.HeardSoFar(followed.life.id, followed.journal_ms, generated_ms, text, followed.started_at)
        self._ring.context.send(so_far)

    def _end(self, followed: _Message, end: mail.EndTranscript) -> None:
        followed.frames = end.frames
        followed.transcript.end_text()
        self._tell_words(followed)
        heard_text, words = followed.transcript.heard(end.frames)
        end.owner.urgent(mail.TranscriptEnded(heard_text))
        mark = self._cut_mark if end.interrupted and heard_text else ""
        settled = chart.Settled(heard_text=heard_text + mark, interrupted=end.interrupted, sounded=end.frames > 0)
        told = sorted(followed.captions, key=lambda caption: caption.start_ms)
        # A word may have been thought to go on for longer than there turned out to be audio of its stretch.
        ends_ms = [*(caption.start_ms for caption in told[1:]), self._ms(end.frames)]
        ended = tuple(
            replace(caption, text=word.text, end_ms=min(caption.end_ms, end_ms))
            for caption, word, end_ms in zip(told, words, ends_ms, strict=False)
        )
        self._settle(followed, settled, ended)

    def _settle(self, followed: _Message, settled: chart.Settled, words: tuple[Caption, ...] = ()) -> None:
        """It is over: say so, and forget it."""
        if followed.deadline:
            followed.deadline.cancel()
        del self._messages[followed.life.id]
        for effect in self.fire(TRANSCRIPT, followed.life, settled):
            self.publish(
                CaptionsEnded(
                    message_id=effect.message_id,
                    words=words,
                    text=effect.heard_text,
                    interrupted=effect.interrupted,
                    at=anyio.current_time(),
                )
            )

    def _ms(self, frames: int) -> int:
        return frames * 1000 // self._rate
