"""One function call of the model's: waiting -> running -> answered | failed, and each way in which it ends otherwise.

A call begins when it is complete. It is answered once, whatever happens: the model is never left without an output, and
never gets two. A call that is stopped, because it is cancelled or has had its time, is answered at once; but it keeps
its place until its function has really ended (`cancelling`, `expiring`), since a function that does not let itself be
stopped still holds its thread. What such a function gives in the end is dropped: the model was told otherwise.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Refused(Struct, frozen=True, tag=True, gc=False):
    """It can't be run: nobody knows the function, the arguments don't fit, or it may have been run before."""

    reason: str


class PlaceFree(Struct, frozen=True, tag=True, gc=False):
    """It is its turn: fewer functions run than may at once."""


class Returned(Struct, frozen=True, tag=True, gc=False):
    """The function has given what the model can read."""

    output: str


class Failed(Struct, frozen=True, tag=True, gc=False):
    """The function raised, or has given something that can't be told."""

    reason: str
    place: str = ""
    """Where in the code; for the app."""


class Expired(Struct, frozen=True, tag=True, gc=False):
    """It has had its time."""

    seconds: float


class Cancelled(Struct, frozen=True, tag=True, gc=False):
    """Nobody waits for it any more: the user interrupted, or the session ends."""

    reason: str


class Stopped(Struct, frozen=True, tag=True, gc=False):
    """The function has let itself be stopped."""


CallEvent: TypeAlias = Refused | PlaceFree | Returned | Failed | Expired | Cancelled | Stopped


class Run(Struct, frozen=True, tag=True, gc=False):
    """Begin with the function."""


class Answer(Struct, frozen=True, tag=True, gc=False):
    """Give the model the output."""

    output: str


class Stop(Struct, frozen=True, tag=True, gc=False):
    """End the function, if it lets itself be stopped."""


class Report(Struct, frozen=True, tag=True, gc=False):
    """Let the app know that something is wrong with its function."""

    problem: str


CallEffect: TypeAlias = Run | Answer | Stop | Report


def run(_id: str, _event: PlaceFree) -> Run:
    return Run()


def stop(_id: str, _event: Cancelled | Expired) -> Stop:
    return Stop()


def answer(_id: str, event: Returned) -> Answer:
    return Answer(event.output)


def answer_error(_id: str, event: Refused | Failed) -> Answer:
    return Answer(f"Error: {event.reason}")


def answer_never_run(_id: str, event: Cancelled) -> Answer:
    return Answer(f"Cancelled: {event.reason}. The function was not run.")


def answer_cut_off(_id: str, event: Cancelled) -> Answer:
    return Answer(f"Cancelled: {event.reason}. What the function does may be done in part.")


def answer_not_begun(_id: str, event: Expired) -> Answer:
    return Answer(f"Error: too much else was going on for {event.seconds:g} s. The function was not run.")


def answer_slow(_id: str, event: Expired) -> Answer:
    return Answer(f"Error: the function took longer than {event.seconds:g} s. What it does may be done in part.")


def report_slow(_id: str, event: Expired) -> Report:
    return Report(f"it had {event.seconds:g} s, and gave nothing")


def report(_id: str, event: Refused | Failed) -> Report:
    place = event.place if isinstance(event, Failed) else ""
    return Report(f"{event.reason} ({place})" if place else event.reason)


CALL: Chart[CallEvent, CallEffect] = Chart(
    "call",
    states={
        "waiting": "complete; all places are taken",
        "running": "its function runs",
        "cancelling": "answered; its function has not ended yet",
        "expiring": "answered; its function has not ended yet",
    },
    final={
        "answered": "the model has the function's output",
        "failed": "the model has the function's error",
        "refused": "the model knows why it was not run",
        "cancelled": "the model knows that it was cancelled",
        "expired": "the model knows that it took too long",
    },
    edges=(
        on("waiting", Refused, "refused", answer_error, report),
        on("waiting", PlaceFree, "running", run),
        on("waiting", Cancelled, "cancelled", answer_never_run),
        on("waiting", Expired, "expired", answer_not_begun, report_slow),
        on("running", Returned, "answered", answer),
        on("running", Failed, "failed", answer_error, report),
        on("running", Cancelled, "cancelling", stop, answer_cut_off),
        on("running", Expired, "expiring", stop, answer_slow, report_slow),
        on("cancelling", Returned, "cancelled"),
        on("cancelling", Failed, "cancelled"),
        on("cancelling", Stopped, "cancelled"),
        on("expiring", Returned, "expired"),
        on("expiring", Failed, "expired"),
        on("expiring", Stopped, "expired"),
    ),
    ignored={
        "cancelling": (Cancelled, Expired),
        "expiring": (Cancelled, Expired),
    },
)
