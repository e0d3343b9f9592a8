"""The lifecycle of one message: pending -> playing <-> paused -> full | partial | skipped.

A message is an assistant item that is spoken (or shown). It exists from the moment the server announces it, before
anybody plays it, so an interruption reaches also those that were never played. Only the sink's final position decides
how it ends:

- full: everything that the server generated was heard. The server's item is left alone.
- partial: a part of it was heard and then it was stopped. The server must keep just that part (`Truncate`).
- skipped: nothing was heard. The server must not hold it (`Delete`), and no `ChatMessage` comes.

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


class Shown(Struct, frozen=True, tag=True, gc=False):
    """It has text and no audio, and its turn came: the reader saw it."""

    text: str
    at: float


class Emptied(Struct, frozen=True, tag=True, gc=False):
    """Its turn came, it is complete, and there is nothing to hear or to show."""


class Interrupted(Struct, frozen=True, tag=True, gc=False):
    """The user spoke over the agent, or the app interrupted."""

    segment_open: bool
    """True if the sink has been given a segment for this message."""


MessageEvent: TypeAlias = (
    PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackFinished | Shown | Emptied | Interrupted
)


class StopPlayback(Struct, frozen=True, tag=True, gc=False):
    """Stop now, and tell the position."""

    message_id: str


class Truncate(Struct, frozen=True, tag=True, gc=False):
    """The server is to keep `heard_ms` of the message's audio, and no more."""

    message_id: str
    heard_ms: int


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


MessageEffect: TypeAlias = StopPlayback | Truncate | Delete | ChatMessage


def heard_everything(event: PlaybackFinished) -> bool:
    """All frames were heard, and it was not cut off before the server had sent them all."""
    return 0 < event.generated_frames <= event.heard_frames and (event.complete or not event.stopped)


def heard_something(event: PlaybackFinished) -> bool:
    """At least one whole millisecond, the unit that servers cut by."""
    return _heard_ms(event) > 0


def segment_open(event: Interrupted) -> bool:
    return event.segment_open


def stop_playback(message_id: str, _event: Interrupted) -> StopPlayback:
    return StopPlayback(message_id)


def truncate(message_id: str, event: PlaybackFinished) -> Truncate:
    return Truncate(message_id, _heard_ms(event))


def delete(message_id: str, _event: Interrupted | PlaybackFinished | Emptied) -> Delete:
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
    )


def chat_text(message_id: str, event: Shown) -> ChatMessage:
    return ChatMessage(
        message_id=message_id,
        heard_text=event.text,
        generated_text=event.text,
        heard_ms=0,
        generated_ms=0,
        interrupted=False,
        started_at=event.at,
        stopped_at=event.at,
        confirmed=True,
    )


def _heard_ms(event: PlaybackFinished) -> int:
    # Never beyond what was generated, whatever a sink counts: servers refuse such a cut.
    return _ms(min(event.heard_frames, event.generated_frames), event)


def _ms(frames: int, event: PlaybackFinished) -> int:
    return frames * 1000 // event.rate


_LATE = (PlaybackStarted, PlaybackPaused, PlaybackResumed, PlaybackFinished, Shown, Emptied, Interrupted)

MESSAGE: Chart[MessageEvent, MessageEffect] = Chart(
    "message",
    states={
        "pending": "announced; nothing of it was heard yet",
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
        on("pending", Shown, "full", chat_text),
        on("pending", Emptied, "skipped", delete),
        on("pending", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("pending", PlaybackFinished, "partial", truncate, chat_message, when=heard_something),
        on("pending", PlaybackFinished, "skipped", delete),
        on("playing", PlaybackPaused, "paused"),
        on("playing", Interrupted, "playing", stop_playback),
        on("playing", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("playing", PlaybackFinished, "partial", truncate, chat_message, when=heard_something),
        on("playing", PlaybackFinished, "skipped", delete),
        on("paused", PlaybackResumed, "playing"),
        on("paused", Interrupted, "paused", stop_playback),
        on("paused", PlaybackFinished, "full", chat_message, when=heard_everything),
        on("paused", PlaybackFinished, "partial", truncate, chat_message, when=heard_something),
        on("paused", PlaybackFinished, "skipped", delete),
    ),
    ignored={
        "pending": (PlaybackPaused, PlaybackResumed),
        "playing": (PlaybackStarted, PlaybackResumed),
        "paused": (PlaybackStarted, PlaybackPaused),
        "full": _LATE,
        "partial": _LATE,
        "skipped": _LATE,
    },
)
