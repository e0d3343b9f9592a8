"""One function call of the model's: waiting -> running -> answered | failed, or refused, or stopped.

A call begins when it is complete. It is answered once, whatever happens: the model is never left without an output, and
never gets two. A call that is stopped, because it is cancelled or has had its time, is answered at once; but it keeps
its place until its function has really ended (`stopping`), since one that does not let itself be stopped still holds
its thread. What such a function gives in the end is dropped: the model was told otherwise.
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


def answer_not_run(_id: str, event: Cancelled) -> Answer:
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
        "waiting": "complete; as many functions run as may at once",
        "running": "its function runs",
        "stopping": "answered; its function has not ended yet",
    },
    final={
        "refused": "it was not run, and the model knows why",
        "answered": "the model has the function's output",
        "failed": "the model has the function's error",
        "stopped": "the model knows why it was stopped",
    },
    edges=(
        on("waiting", Refused, "refused", answer_error, report),
        on("waiting", Cancelled, "refused", answer_not_run),
        on("waiting", Expired, "refused", answer_not_begun, report_slow),
        on("waiting", PlaceFree, "running", run),
        on("running", Returned, "answered", answer),
        on("running", Failed, "failed", answer_error, report),
        on("running", Cancelled, "stopping", stop, answer_cut_off),
        on("running", Expired, "stopping", stop, answer_slow, report_slow),
        on("stopping", Returned, "stopped"),
        on("stopping", Failed, "stopped"),
        on("stopping", Stopped, "stopped"),
    ),
    ignored={
        "stopping": (Cancelled, Expired),
    },
)
