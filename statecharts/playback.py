"""The one segment that the sink has in flight: idle -> open -> playing <-> paused -> (clearing) -> idle.

Only the sink knows the position, so a segment ends by the sink's report and by nothing else: also after `Clear`, when
the device may have played a little more. A sink that does not report in time is not believed to have played
everything: the last position it confirmed is told, marked as unconfirmed (`Expired`). A lost device ends it likewise.
Reports about any other message than the one in flight never get here.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Begin(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class Started(Struct, frozen=True, tag=True, gc=False):
    """The first frame left the device."""

    message_id: str
    at: float


class Finish(Struct, frozen=True, tag=True, gc=False):
    """No more audio comes for it: play it out."""

    message_id: str


class Clear(Struct, frozen=True, tag=True, gc=False):
    """Stop now."""

    message_id: str


class Pause(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class Resume(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class Ended(Struct, frozen=True, tag=True, gc=False):
    """The sink's last report on the segment."""

    message_id: str
    frames: int
    at: float
    confirmed: bool


class Expired(Struct, frozen=True, tag=True, gc=False):
    """The sink did not report in time; `frames` is what it confirmed last."""

    message_id: str
    frames: int
    at: float


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The device is gone; `frames` is what it confirmed last."""

    message_id: str
    frames: int
    at: float


PlaybackEvent: TypeAlias = Begin | Started | Finish | Clear | Pause | Resume | Ended | Expired | Lost


class OpenSegment(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class FinishSegment(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class ClearSegment(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class PauseSegment(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class ResumeSegment(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class TellStarted(Struct, frozen=True, tag=True, gc=False):
    message_id: str
    at: float


class TellEnded(Struct, frozen=True, tag=True, gc=False):
    message_id: str
    frames: int
    at: float
    confirmed: bool


PlaybackEffect: TypeAlias = (
    OpenSegment | FinishSegment | ClearSegment | PauseSegment | ResumeSegment | TellStarted | TellEnded
)


def open_segment(_id: str, event: Begin) -> OpenSegment:
    return OpenSegment(event.message_id)


def finish_segment(_id: str, event: Finish) -> FinishSegment:
    return FinishSegment(event.message_id)


def clear_segment(_id: str, event: Clear | Expired) -> ClearSegment:
    return ClearSegment(event.message_id)


def pause_segment(_id: str, event: Pause) -> PauseSegment:
    return PauseSegment(event.message_id)


def resume_segment(_id: str, event: Resume) -> ResumeSegment:
    return ResumeSegment(event.message_id)


def tell_started(_id: str, event: Started) -> TellStarted:
    return TellStarted(event.message_id, event.at)


def tell_ended(_id: str, event: Ended) -> TellEnded:
    return TellEnded(event.message_id, event.frames, event.at, event.confirmed)


def tell_unconfirmed(_id: str, event: Expired | Lost) -> TellEnded:
    return TellEnded(event.message_id, event.frames, event.at, confirmed=False)


PLAYBACK: Chart[PlaybackEvent, PlaybackEffect] = Chart(
    "playback",
    states={
        "idle": "no message is at the sink",
        "open": "a message is at the sink; nothing of it was heard yet",
        "playing": "it is being heard",
        "paused": "it may go on at the same frame",
        "clearing": "told to stop; the sink has not told the position",
    },
    final={"lost": "the device is gone"},
    edges=(
        on("idle", Begin, "open", open_segment),
        on("idle", Lost, "lost"),
        on("open", Started, "playing", tell_started),
        on("open", Finish, "open", finish_segment),
        on("open", Clear, "clearing", clear_segment),
        on("open", Ended, "idle", tell_ended),
        on("open", Expired, "idle", clear_segment, tell_unconfirmed),
        on("open", Lost, "lost", tell_unconfirmed),
        on("playing", Finish, "playing", finish_segment),
        on("playing", Pause, "paused", pause_segment),
        on("playing", Clear, "clearing", clear_segment),
        on("playing", Ended, "idle", tell_ended),
        on("playing", Expired, "idle", clear_segment, tell_unconfirmed),
        on("playing", Lost, "lost", tell_unconfirmed),
        on("paused", Resume, "playing", resume_segment),
        on("paused", Finish, "paused", finish_segment),
        on("paused", Clear, "clearing", clear_segment),
        on("paused", Ended, "idle", tell_ended),
        on("paused", Lost, "lost", tell_unconfirmed),
        on("clearing", Started, "clearing", tell_started),
        on("clearing", Ended, "idle", tell_ended),
        on("clearing", Expired, "idle", tell_unconfirmed),
        on("clearing", Lost, "lost", tell_unconfirmed),
    ),
    ignored={
        "idle": (Started, Finish, Clear, Pause, Resume, Ended, Expired),
        "open": (Pause, Resume),
        "playing": (Started, Resume),
        "paused": (Started, Pause, Expired),
        "clearing": (Finish, Clear, Pause, Resume),
        "lost": (Begin, Started, Finish, Clear, Pause, Resume, Ended, Expired, Lost),
    },
)
