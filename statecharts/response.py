"""The lifecycle of one response: requested -> active -> (interrupted) -> settled.

A response is one generation by the model. The server writes at most one *default* response into the conversation at a
time, so a requested one waits for the slot, and goes back to waiting when the server says that it is busy: it is never
lost. Generation ends (`Done`) long before the user has heard it, so a done response is `finishing` while its messages
are played. An interruption reaches it wherever it is: while it is generated it is cancelled (unless the server does
that itself when it hears the user); once it is done there is nothing to cancel, and its messages are stopped all the
same. A request that is given up stays `abandoned`: should its response arrive after all, it is cancelled by its id and
leaves nothing; nobody waits for it. Every wait has a deadline (`Expired`): a server that stays silent settles the
response, it never hangs. A server that is lost (`Lost`) makes a requested response wait for the next one, and leaves of
an active one what was received: that is heard to its end, then the response actor asks for the rest.
A response that the server starts by itself is `Created` while it is still waiting here.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class SlotFree(Struct, frozen=True, tag=True, gc=False):
    """No other default response is under way: this one may be requested."""


class Created(Struct, frozen=True, tag=True, gc=False):
    """The server has started it."""

    response_id: str


class Refused(Struct, frozen=True, tag=True, gc=False):
    """The server refused the request; `busy` if only because another response is active."""

    busy: bool
    reason: str


class Done(Struct, frozen=True, tag=True, gc=False):
    """Generation is over; `open_messages` of its messages are still to be heard."""

    status: str
    open_messages: int
    reason: str = ""


class MessageEnded(Struct, frozen=True, tag=True, gc=False):
    """One of its messages is full, partial or skipped; `open_messages` are still to be heard."""

    open_messages: int


class Interrupted(Struct, frozen=True, tag=True, gc=False):
    """The user spoke over it, or the app interrupted. `server_cancels` if the server ends the generation by itself."""

    response_id: str
    server_cancels: bool


class Abandoned(Struct, frozen=True, tag=True, gc=False):
    """Who asked for it doesn't want it any more, or it can't be had."""

    reason: str


class Joined(Struct, frozen=True, tag=True, gc=False):
    """Another response, which the server began by itself, answers what this one was asked for."""

    response_id: str


class Expired(Struct, frozen=True, tag=True, gc=False):
    """The deadline of the present state passed, for the `attempt`th time."""

    response_id: str
    attempt: int
    open_messages: int


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The server is gone: it starts nothing and generates nothing more. `open_messages` are still to be heard."""

    open_messages: int


ResponseEvent: TypeAlias = (
    SlotFree | Created | Refused | Done | MessageEnded | Interrupted | Abandoned | Joined | Expired | Lost
)


class Request(Struct, frozen=True, tag=True, gc=False):
    """Ask the server for it."""

    id: str


class Cancel(Struct, frozen=True, tag=True, gc=False):
    """End its generation, by its id and no other's."""

    response_id: str


class InterruptMessages(Struct, frozen=True, tag=True, gc=False):
    """Stop each of its messages, also those that were never played."""

    id: str


class Fail(Struct, frozen=True, tag=True, gc=False):
    """Tell who asked for it why there is none."""

    id: str
    reason: str


ResponseEffect: TypeAlias = Request | Cancel | InterruptMessages | Fail

INTERRUPTED_EARLY = "it was interrupted before the server started it"
"""Why there is none, though nothing went wrong."""


def busy(event: Refused) -> bool:
    return event.busy


def server_cancels(event: Interrupted) -> bool:
    return event.server_cancels


def all_heard(event: Done | MessageEnded | Expired | Lost) -> bool:
    """None of its messages is still to be heard."""
    return event.open_messages == 0


def first_time(event: Expired) -> bool:
    return event.attempt == 1


def request(id: str, _event: SlotFree) -> Request:
    return Request(id)


def cancel(_id: str, event: Interrupted | Created | Expired) -> Cancel:
    return Cancel(event.response_id)


def interrupt_messages(id: str, _event: Interrupted | Expired | Done) -> InterruptMessages:
    return InterruptMessages(id)


def refused(id: str, event: Refused) -> Fail:
    return Fail(id, event.reason)


def unanswered(id: str, _event: Expired) -> Fail:
    return Fail(id, "the server did not start it in time")


def stalled(id: str, _event: Expired) -> Fail:
    return Fail(id, "the server began it and then fell silent")


def given_up(id: str, event: Abandoned) -> Fail:
    return Fail(id, event.reason)


def interrupted_early(id: str, _event: Interrupted) -> Fail:
    return Fail(id, INTERRUPTED_EARLY)


RESPONSE: Chart[ResponseEvent, ResponseEffect] = Chart(
    "response",
    states={
        "waiting": "wanted; another response has the slot",
        "requested": "asked for; the server has not started it",
        "abandoned": "given up; cancelled if it arrives after all",
        "active": "being generated",
        "interrupted": "stopped; the server has not confirmed the end of its generation",
        "finishing": "generated; some of its messages are still to be heard",
    },
    final={"settled": "generated, and each of its messages ended"},
    edges=(
        on("waiting", SlotFree, "requested", request),
        on("waiting", Created, "active"),
        on("waiting", Abandoned, "settled", given_up),
        on("waiting", Joined, "settled"),
        on("requested", Created, "active"),
        on("requested", Refused, "waiting", when=busy),
        on("requested", Refused, "settled", refused),
        on("requested", Interrupted, "abandoned", interrupted_early),
        on("requested", Abandoned, "abandoned", given_up),
        on("requested", Expired, "abandoned", unanswered),
        on("requested", Lost, "waiting"),
        on("abandoned", Created, "interrupted", cancel),
        on("abandoned", Refused, "settled"),
        on("abandoned", Lost, "settled"),
        on("active", MessageEnded, "active"),
        on("active", Done, "settled", when=all_heard),
        on("active", Done, "finishing"),
        on("active", Interrupted, "interrupted", interrupt_messages, when=server_cancels),
        on("active", Interrupted, "interrupted", cancel, interrupt_messages),
        on("active", Expired, "interrupted", cancel, interrupt_messages, stalled),
        on("active", Lost, "settled", when=all_heard),
        on("active", Lost, "finishing"),
        on("interrupted", MessageEnded, "interrupted"),
        on("interrupted", Done, "settled", when=all_heard),
        on("interrupted", Done, "finishing"),
        on("interrupted", Expired, "interrupted", cancel, when=first_time),
        on("interrupted", Expired, "settled", when=all_heard),
        on("interrupted", Expired, "finishing"),
        on("interrupted", Lost, "settled", when=all_heard),
        on("interrupted", Lost, "finishing"),
        on("finishing", MessageEnded, "settled", when=all_heard),
        on("finishing", MessageEnded, "finishing"),
        on("finishing", Interrupted, "finishing", interrupt_messages),
    ),
    ignored={
        # A request that waits survives the user's speech: its turn comes when the user has finished.
        "waiting": (Interrupted, Expired, Refused, MessageEnded, Lost),
        "requested": (SlotFree,),
        "abandoned": (SlotFree, Interrupted, Abandoned, Expired),
        "active": (SlotFree, Created, Refused),
        "interrupted": (SlotFree, Created, Refused, Interrupted, Abandoned),
        "finishing": (SlotFree, Created, Refused, Done, Expired, Abandoned, Lost),
        "settled": (SlotFree, Created, Refused, Done, MessageEnded, Interrupted, Abandoned, Expired, Lost),
    },
)
