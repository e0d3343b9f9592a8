"""One segment at the sink: open -> playing <-> paused -> (clearing) -> finished.

Only the sink knows the position, so a segment ends by the sink's report and by nothing else: also when it was told to
clear, since the device may have played a little more by then. A sink that does not report in time is not believed to
have played everything: the last position that it confirmed is told, marked as unconfirmed (`Expired`). A lost device
ends it likewise. What a sink still says of a finished segment is ignored.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Started(Struct, frozen=True, tag=True, gc=False):
    """The first frame left the device."""

    at: float


class Finish(Struct, frozen=True, tag=True, gc=False):
    """No more audio comes for it: play it out."""


class Clear(Struct, frozen=True, tag=True, gc=False):
    """Stop now."""


class Pause(Struct, frozen=True, tag=True, gc=False):
    """Hold it."""


class Resume(Struct, frozen=True, tag=True, gc=False):
    """Go on where it was held."""


class Finished(Struct, frozen=True, tag=True, gc=False):
    """The sink's last report: `frames` were heard."""

    frames: int
    at: float
    confirmed: bool


class Expired(Struct, frozen=True, tag=True, gc=False):
    """The sink did not report in time; `frames` is what it confirmed last."""

    frames: int
    at: float


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The device is gone; `frames` is what it confirmed last."""

    frames: int
    at: float


PlaybackEvent: TypeAlias = Started | Finish | Clear | Pause | Resume | Finished | Expired | Lost


class FinishAtSink(Struct, frozen=True, tag=True, gc=False):
    """Let the sink play it out."""


class ClearAtSink(Struct, frozen=True, tag=True, gc=False):
    """Let the sink stop now."""


class PauseAtSink(Struct, frozen=True, tag=True, gc=False):
    """Let the sink hold it."""


class ResumeAtSink(Struct, frozen=True, tag=True, gc=False):
    """Let the sink go on with it."""


class TellStarted(Struct, frozen=True, tag=True, gc=False):
    """The message is to know that it is being heard."""

    at: float


class TellFinished(Struct, frozen=True, tag=True, gc=False):
    """The message it belongs to is to know how much was heard, and that it is over."""

    frames: int
    at: float
    confirmed: bool


PlaybackEffect: TypeAlias = FinishAtSink | ClearAtSink | PauseAtSink | ResumeAtSink | TellStarted | TellFinished


def finish_at_sink(_id: str, _event: Finish) -> FinishAtSink:
    return FinishAtSink()


def clear_at_sink(_id: str, _event: Clear | Expired) -> ClearAtSink:
    return ClearAtSink()


def pause_at_sink(_id: str, _event: Pause) -> PauseAtSink:
    return PauseAtSink()


def resume_at_sink(_id: str, _event: Resume) -> ResumeAtSink:
    return ResumeAtSink()


def tell_started(_id: str, event: Started) -> TellStarted:
    return TellStarted(event.at)


def tell_finished(_id: str, event: Finished) -> TellFinished:
    return TellFinished(event.frames, event.at, event.confirmed)


def tell_unconfirmed(_id: str, event: Expired | Lost) -> TellFinished:
    return TellFinished(event.frames, event.at, confirmed=False)


PLAYBACK: Chart[PlaybackEvent, PlaybackEffect] = Chart(
    "playback",
    states={
        "open": "at the sink; nothing of it was heard yet",
        "playing": "being heard",
        "paused": "may go on at the same frame",
        "clearing": "told to stop; the sink has not told the position",
    },
    final={"finished": "the position is told"},
    edges=(
        on("open", Started, "playing", tell_started),
        on("open", Finish, "open", finish_at_sink),
        on("open", Clear, "clearing", clear_at_sink),
        on("open", Finished, "finished", tell_finished),
        on("open", Expired, "finished", clear_at_sink, tell_unconfirmed),
        on("open", Lost, "finished", tell_unconfirmed),
        on("playing", Finish, "playing", finish_at_sink),
        on("playing", Pause, "paused", pause_at_sink),
        on("playing", Clear, "clearing", clear_at_sink),
        on("playing", Finished, "finished", tell_finished),
        on("playing", Expired, "finished", clear_at_sink, tell_unconfirmed),
        on("playing", Lost, "finished", tell_unconfirmed),
        on("paused", Resume, "playing", resume_at_sink),
        on("paused", Finish, "paused", finish_at_sink),
        on("paused", Clear, "clearing", clear_at_sink),
        on("paused", Finished, "finished", tell_finished),
        on("paused", Lost, "finished", tell_unconfirmed),
        on("clearing", Started, "clearing", tell_started),
        on("clearing", Finished, "finished", tell_finished),
        on("clearing", Expired, "finished", tell_unconfirmed),
        on("clearing", Lost, "finished", tell_unconfirmed),
    ),
    ignored={
        "open": (Pause, Resume),
        "playing": (Started, Resume),
        "paused": (Started, Pause, Expired),
        "clearing": (Finish, Clear, Pause, Resume),
        "finished": (Started, Finish, Clear, Pause, Resume, Finished, Expired, Lost),
    },
)
