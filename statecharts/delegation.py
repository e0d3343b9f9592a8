"""The lifecycle of one delegation to a text agent: collecting -> working <-> steering -> finished | failed | stopped.

A speech model asks for work to be done, often before the last words that led to it were written down. So a delegation
collects first: for a time of grace the words that trail the request still belong to it. Then the agent has it, once.

A request that comes while one is under way begins no second one: it steers. It is acknowledged at once, and its words
are collected and handed to the agent that works. What the agent left unread when it returned it is run again with: so
no request is lost, and there is one final answer, behind the last of them. An answer before that is told as progress.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Due(Struct, frozen=True, tag=True, gc=False):
    """The time of grace is over; `blank` if there are no words at all that could be handed to the agent."""

    blank: bool


class Steered(Struct, frozen=True, tag=True, gc=False):
    """A further request came; `blank` as in `Due`, of the one that is being collected."""

    request_id: str
    blank: bool


class Progressed(Struct, frozen=True, tag=True, gc=False):
    """The agent has something to say, and goes on."""

    text: str


class Returned(Struct, frozen=True, tag=True, gc=False):
    """The agent is done; `unread` if it left a further request that was handed to it."""

    text: str
    unread: bool


class Raised(Struct, frozen=True, tag=True, gc=False):
    """The agent can't do it."""

    reason: str


class Stopped(Struct, frozen=True, tag=True, gc=False):
    """The app doesn't want it any more, or the session ends."""

    reason: str


DelegationEvent: TypeAlias = Due | Steered | Progressed | Returned | Raised | Stopped


class Collect(Struct, frozen=True, tag=True, gc=False):
    """Wait for the words that trail the request."""

    id: str


class Acknowledge(Struct, frozen=True, tag=True, gc=False):
    """Tell the model that its further request went to the agent that works."""

    request_id: str


class RunAgent(Struct, frozen=True, tag=True, gc=False):
    """Let the agent work on what was collected, or on what it left unread."""

    id: str


class SteerAgent(Struct, frozen=True, tag=True, gc=False):
    """Hand what was collected to the agent that works."""

    id: str


class StopAgent(Struct, frozen=True, tag=True, gc=False):
    """Whatever works on it is to stop."""

    id: str


class TellProgress(Struct, frozen=True, tag=True, gc=False):
    """Let the model know; the request stays open."""

    id: str
    text: str


class Answer(Struct, frozen=True, tag=True, gc=False):
    """The final answer."""

    id: str
    text: str


class Conclude(Struct, frozen=True, tag=True, gc=False):
    """Close the request: there is nothing (more) to be done, and no answer besides what was told."""

    id: str


class TellFailure(Struct, frozen=True, tag=True, gc=False):
    """Close the request with a failure that the model can read."""

    id: str
    reason: str


class GiveUp(Struct, frozen=True, tag=True, gc=False):
    """Close the request: nobody works on it any more."""

    id: str
    reason: str


DelegationEffect: TypeAlias = (
    Collect | Acknowledge | RunAgent | SteerAgent | StopAgent | TellProgress | Answer | Conclude | TellFailure | GiveUp
)


def blank(event: Due | Steered) -> bool:
    return event.blank


def unread(event: Returned) -> bool:
    return event.unread


def collect(id: str, _event: Steered) -> Collect:
    return Collect(id)


def confirm(_id: str, event: Steered) -> Acknowledge:
    return Acknowledge(event.request_id)


def run(id: str, _event: Due | Steered | Returned) -> RunAgent:
    return RunAgent(id)


def steer(id: str, _event: Due | Steered) -> SteerAgent:
    return SteerAgent(id)


def stop(id: str, _event: Stopped) -> StopAgent:
    return StopAgent(id)


def tell(id: str, event: Progressed | Returned) -> TellProgress:
    return TellProgress(id, event.text)


def answer(id: str, event: Returned) -> Answer:
    return Answer(id, event.text)


def close(id: str, _event: Due) -> Conclude:
    return Conclude(id)


def fail(id: str, event: Raised) -> TellFailure:
    return TellFailure(id, event.reason)


def drop(id: str, event: Stopped) -> GiveUp:
    return GiveUp(id, event.reason)


DELEGATION: Chart[DelegationEvent, DelegationEffect] = Chart(
    "delegation",
    states={
        "collecting": "asked for; words that trail the request are collected",
        "working": "the agent has it",
        "steering": "the agent works; words that trail a further request are collected",
    },
    final={
        "finished": "answered",
        "failed": "the agent can't do it, and the model was told",
        "stopped": "nobody works on it",
    },
    edges=(
        on("collecting", Due, "finished", close, when=blank),
        on("collecting", Due, "working", run),
        on("collecting", Steered, "collecting", confirm, collect, when=blank),
        on("collecting", Steered, "steering", run, confirm, collect),
        on("collecting", Stopped, "stopped", drop),
        on("working", Steered, "steering", confirm, collect),
        on("working", Progressed, "working", tell),
        on("working", Returned, "working", tell, run, when=unread),
        on("working", Returned, "finished", answer),
        on("working", Raised, "failed", fail),
        on("working", Stopped, "stopped", stop, drop),
        on("steering", Due, "working", when=blank),
        on("steering", Due, "working", steer),
        on("steering", Steered, "steering", confirm, collect, when=blank),
        on("steering", Steered, "steering", steer, confirm, collect),
        on("steering", Progressed, "steering", tell),
        on("steering", Returned, "steering", tell, run, when=unread),
        on("steering", Returned, "collecting", tell),
        on("steering", Raised, "failed", fail),
        on("steering", Stopped, "stopped", stop, drop),
    ),
    ignored={
        "collecting": (Progressed,),
        # What is late: the agent and the timer may end as this does.
        "working": (Due,),
        "finished": (Due, Steered, Progressed, Returned, Raised, Stopped),
        "failed": (Due, Steered, Progressed, Returned, Raised, Stopped),
        "stopped": (Due, Steered, Progressed, Returned, Raised, Stopped),
    },
)
