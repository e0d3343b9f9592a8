"""The lifecycle of one message: pending -> playing <-> paused, or showing -> full | partial | skipped.

A message is an assistant item that is spoken, or shown. It exists from the moment the server announces it, before
anybody plays it, so an interruption reaches also those that were never played. Of what is spoken only the sink's final
position decides how it ends; of text without sound, what was shown of it:

- full: everything that the server generated was heard, or shown. The server's item is left alone.
- partial: a part of it was heard and then it was stopped. The server must keep just that part: of one stretch of its
  audio so much (`Truncate`), or else, as of text, nothing but what is written anew (`Rewrite`).
- skipped: nothing was heard. The server must not hold it (`Delete`), and no `ChatMessage` comes.

Servers cut audio by the ms and text by the word: less than one of these is nothing.

An interruption does not end a message whose segment is open at the sink: it asks the sink to stop, and the sink's
report ends it. In an ended message whatever still arrives is ignored; deltas are no events of this chart.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from statecharts.chart import Chart, on


class PlaybackStarted(Struct, frozen=True, tag=True, gc=False):
    """The first frame was heard, at `at` seconds of the session's clock."""

    at: float


class PlaybackPaused(Struct, frozen=True, tag=True, gc=False):
    """The sink holds it."""


class PlaybackResumed(Struct, frozen=True, tag=True, gc=False):
    """The sink goes on with it."""


class PlaybackFinished(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """The sink's last word on this message."""

    heard_frames: int
    generated_frames: int
    """All that the server sent for it, also what we dropped."""
    rate: Annotated[int, Meta(gt=0)]
    """Hz."""
    complete: bool
    """True if the server will send no more of it."""
    stopped: bool
    """True if it was cleared or is too long to be heard, False if it played to its end."""
    heard_text: str = ""
    generated_text: str = ""
    started_at: float | None = None
    stopped_at: float | None = None
    confirmed: bool = True
    """False if the device never confirmed; the position is then its last confirmed one."""
    part: int | None = 0
    """The content part in which it was stopped, if to cut that one is all that the server needs; None: it holds text,
    or more of its parts than one were not heard to their ends."""
    part_frames: int = 0
    """How much audio there is in the parts before that one."""
    shown: bool = False
    """True if something of it was shown: text that has no sound."""
    unshown: bool = False
    """True if there is more of such text, that was not shown."""
    voiced: bool = False
    """True if a voice of ours spoke it: the server holds its text only."""


class Shown(Struct, frozen=True, tag=True, gc=False):
    """It has text that no sound goes with, its turn came, and the reader saw the first of it."""

    at: float


class ShowingFinished(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """Nothing of it sounds, and nothing more of it will be shown."""

    shown_text: str
    generated_text: str
    complete: bool
    """True if the server will send no more of it."""
    started_at: float
    stopped_at: float


class Emptied(Struct, frozen=True, tag=True, gc=False):
    """Its turn came, it is complete, and there is nothing to hear or to show."""


class Interrupted(Struct, frozen=True, tag=True, gc=False):
    """The user spoke over the agent, or the app interrupted."""

    segment_open: bool
    """True if the sink has been given a segment for this message."""


MessageEvent: TypeAlias = (
    PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | PlaybackFinished
    | Shown
    | ShowingFinished
    | Emptied
    | Interrupted
)


class StopPlayback(Struct, frozen=True, tag=True, gc=False):
    """Stop now, and tell the position."""

    message_id: str


class Truncate(Struct, frozen=True, tag=True, gc=False):
    """The server is to keep `heard_ms` of the message's audio, and no more."""

    message_id: str
    heard_ms: int
    part: int = 0
    """The content part to be cut: those before it are kept, and behind it there is none."""
    part_from_ms: int = 0
    """So much of what was heard is in the parts before."""


class Rewrite(Struct, frozen=True, tag=True, gc=False):
    """The server is to hold this text of the message, and nothing else of it."""

    message_id: str
    text: str


class Delete(Struct, frozen=True, tag=True, gc=False):
    """The server is not to hold the message."""

    message_id: str


class ChatMessage(Struct, frozen=True, tag=True, gc=False, kw_only=True):
    """What was said: one for each message that was heard, in the order heard."""

    message_id: str
    heard_text: str
    generated_text: str
    heard_ms: int
    generated_ms: int
    interrupted: bool
    started_at: float | None
    """Seconds of the session's clock, from the sink."""
    stopped_at: float | None
    confirmed: bool
    voiced: bool = False
    """True if a voice of ours spoke it."""


MessageEffect: TypeAlias = StopPlayback | Truncate | Rewrite | Delete | ChatMessage


def heard_everything(event: PlaybackFinished) -> bool:
    """All frames were heard, and it was not cut off before the server had sent them all."""
    in_full = 0 < event.generated_frames <= event.heard_frames and (event.complete or not event.stopped)
    return in_full and not event.unshown


def can_be_cut(event: PlaybackFinished) -> bool:
    """At least one whole millisecond, the unit that servers cut by, and they can cut it there."""
    return event.part is not None and not event.unshown and _heard_ms(event) > 0


def heard_words(event: PlaybackFinished) -> bool:
    """At least one whole word, of what was heard or of what was shown beside it."""
    return bool(event.heard_text) and (event.shown or _heard_ms(event) > 0)


def shown_everything(event: ShowingFinished) -> bool:
    """All that the server made of it, and it makes no more."""
    return event.complete and event.shown_text == event.generated_text


def shown_something(event: ShowingFinished) -> bool:
    return bool(event.shown_text.strip())


def segment_open(event: Interrupted) -> bool:
    return event.segment_open


def stop_playback(message_id: str, _event: Interrupted) -> StopPlayback:
    return StopPlayback(message_id)


def truncate(message_id: str, event: PlaybackFinished) -> Truncate:
    heard_ms = _heard_ms(event)
    # A part of which nothing was heard keeps one ms: servers refuse a cut at 0.
    of_part_ms = max(_ms(min(event.heard_frames, event.generated_frames) - event.part_frames, event), 1)
    return Truncate(message_id, heard_ms, event.part or 0, max(heard_ms - of_part_ms, 0))


def rewrite(message_id: str, event: PlaybackFinished) -> Rewrite:
    return Rewrite(message_id, event.heard_text)


def rewrite_text(message_id: str, event: ShowingFinished) -> Rewrite:
    return Rewrite(message_id, event.shown_text)


def delete(message_id: str, _event: Interrupted | PlaybackFinished | ShowingFinished | Emptied) -> Delete:
    return Delete(message_id)


def chat_message(message_id: str, event: PlaybackFinished) -> ChatMessage:
    everything = heard_everything(event)
    return ChatMessage(
        message_id=message_id,
        heard_text=event.heard_text,
        generated_text=event.generated_text,
        heard_ms=_heard_ms(event),
        generated_ms=_ms(event.generated_frames, event),
        interrupted=not everything,
        started_at=event.started_at,
        stopped_at=event.stopped_at,
        confirmed=event.confirmed,
        voiced=event.voiced,
    )


def chat_text(message_id: str, event: ShowingFinished) -> ChatMessage:
    return ChatMessage(
        message_id=message_id,
        heard_text=event.shown_text,
        generated_text=event.generated_text,
        heard_ms=0,
        generated_ms=0,
        interrupted=not shown_everything(event),
        started_at=event.started_at,
        stopped_at=event.stopped_at,
        confirmed=True,
    )


def _heard_ms(event: PlaybackFinished) -> int:
    # Never beyond what was generated, whatever a sink counts: servers refuse such a cut.
    return _ms(min(event.heard_frames, event.generated_frames), event)


def _ms(frames: int, event: PlaybackFinished) -> int:
    return frames * 1000 // event.rate


_LATE = (
    PlaybackStarted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackFinished,
    Shown,
    ShowingFinished,
    Emptied,
    Interrupted,
)

MESSAGE: Chart[MessageEvent, MessageEffect] = Chart(
    "message",
    states={
        "pending": "announced; nothing of it was heard yet",
        "showing": "being shown; nothing of it was heard yet",
        "playing": "being heard",
        "paused": "stopped for a moment, may go on at the same frame",
    },
    final={
        "full": "everything was heard",
        "partial": "a part was heard; the server keeps that part",
        "skipped": "nothing was heard; the server does not hold it",
    },
    edges=(
        on("pending", PlaybackStarted, "playing"),
        on("pending", Interrupted, "pending", stop_playback, when=segment_open),
        on("pending", Interrupted, "skipped", delete),
        on("pending", Shown, "showing"),
        on("pending", Emptied, "skipped", delete),
        on("pending", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("pending", PlaybackFinished, "partial", truncate, chat_message, when=can_be_cut),
        on("pending", PlaybackFinished, "partial", rewrite, chat_message, when=heard_words),
        on("pending", PlaybackFinished, "skipped", delete),
        on("showing", PlaybackStarted, "playing"),  # it has sound as well
        on("showing", Interrupted, "showing", stop_playback, when=segment_open),
        on("showing", Interrupted, "showing"),
        on("showing", ShowingFinished, "full", chat_text, when=shown_everything),
        on("showing", ShowingFinished, "partial", rewrite_text, chat_text, when=shown_something),
        on("showing", ShowingFinished, "skipped", delete),
        on("showing", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("showing", PlaybackFinished, "partial", truncate, chat_message, when=can_be_cut),
        on("showing", PlaybackFinished, "partial", rewrite, chat_message, when=heard_words),
        on("showing", PlaybackFinished, "skipped", delete),
        on("playing", PlaybackPaused, "paused"),
        on("playing", Interrupted, "playing", stop_playback),
        on("playing", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("playing", PlaybackFinished, "partial", truncate, chat_message, when=can_be_cut),
        on("playing", PlaybackFinished, "partial", rewrite, chat_message, when=heard_words),
        on("playing", PlaybackFinished, "skipped", delete),
        on("paused", PlaybackResumed, "playing"),
        on("paused", Interrupted, "paused", stop_playback),
        on("paused", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("paused", PlaybackFinished, "partial", truncate, chat_message, when=can_be_cut),
        on("paused", PlaybackFinished, "partial", rewrite, chat_message, when=heard_words),
        on("paused", PlaybackFinished, "skipped", delete),
    ),
    ignored={
        "pending": (PlaybackPaused, PlaybackResumed),
        "showing": (PlaybackPaused, PlaybackResumed, Shown),
        "playing": (PlaybackStarted, PlaybackResumed, Shown),
        "paused": (PlaybackStarted, PlaybackPaused, Shown),
        "full": _LATE,
        "partial": _LATE,
        "skipped": _LATE,
    },
)
