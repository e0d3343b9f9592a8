"""The queue of replies that are asked for: what becomes of it, from one `response.create` to the next.

A server writes one default response at a time. So a request waits while one is asked for or generated, while the user
speaks (what they say comes first), and while no server is there; the next is sent as soon as there is room, never
twice, and none is lost. A server that is busy with what we don't know of refuses it: it is sent again at once, since
the refusal may have crossed with the end of that response, then after pauses, or when a response ends.

The queue has one life, as long as the session. Its events tell how many requests are `waiting`, and whether the user
speaks. Responses out of band need no room, and never stand in it.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Asked(Struct, frozen=True, tag=True, gc=False):
    """Somebody wants a reply."""


class Taken(Struct, frozen=True, tag=True, gc=False):
    """A default response is under way that was not asked for by this queue."""


class Vacated(Struct, frozen=True, tag=True, gc=False):
    """None is under way any more."""

    waiting: int
    user_speaks: bool


class Refused(Struct, frozen=True, tag=True, gc=False):
    """The server is busy, for the `attempt`th time with this request; it waits again."""

    attempt: int
    user_speaks: bool


class Ended(Struct, frozen=True, tag=True, gc=False):
    """A response has ended at the server."""

    waiting: int


class PauseOver(Struct, frozen=True, tag=True, gc=False):
    """Time to ask a busy server again."""

    waiting: int


class UserSpeaks(Struct, frozen=True, tag=True, gc=False):
    """The user has begun to speak."""


class UserSilent(Struct, frozen=True, tag=True, gc=False):
    """The user's turn is over, and a server that replies by itself has had its time to."""

    waiting: int


class Ready(Struct, frozen=True, tag=True, gc=False):
    """A server is there and knows the conversation."""

    waiting: int
    user_speaks: bool


class Lost(Struct, frozen=True, tag=True, gc=False):
    """No server is there."""


RequestsEvent: TypeAlias = (
    Asked | Taken | Vacated | Refused | Ended | PauseOver | UserSpeaks | UserSilent | Ready | Lost
)


class SendNext(Struct, frozen=True, tag=True, gc=False):
    """Ask the server for the first that waits."""


class Pause(Struct, frozen=True, tag=True, gc=False):
    """Let the server be for a while, longer with each `attempt`."""

    attempt: int


RequestsEffect: TypeAlias = SendNext | Pause


def user_speaks(event: Vacated | Refused | Ready) -> bool:
    return event.user_speaks


def some_wait(event: Vacated | Ended | PauseOver | UserSilent | Ready) -> bool:
    return event.waiting > 0


def first_time(event: Refused) -> bool:
    return event.attempt == 1


def send_next(_id: str, _event: RequestsEvent) -> SendNext:
    return SendNext()


def pause(_id: str, event: Refused) -> Pause:
    return Pause(event.attempt)


REQUESTS: Chart[RequestsEvent, RequestsEffect] = Chart(
    "requests",
    states={
        "away": "no server is there that knows the conversation",
        "free": "nothing is generated: a request is sent at once",
        "listening": "the user speaks: what they say comes first",
        "taken": "a default response is asked for or generated",
        "refused": "the server is busy with what we don't know of; it is asked again after a pause",
    },
    final={},
    edges=(
        on("away", Ready, "listening", when=user_speaks),
        on("away", Ready, "taken", send_next, when=some_wait),
        on("away", Ready, "free"),
        on("free", Asked, "taken", send_next),
        on("free", Taken, "taken"),
        on("free", UserSpeaks, "listening"),
        on("free", Lost, "away"),
        on("taken", Vacated, "listening", when=user_speaks),
        on("taken", Vacated, "taken", send_next, when=some_wait),
        on("taken", Vacated, "free"),
        on("taken", Refused, "listening", when=user_speaks),
        on("taken", Refused, "taken", send_next, when=first_time),
        on("taken", Refused, "refused", pause),
        on("taken", Lost, "away"),
        on("refused", Taken, "taken"),
        on("refused", Ended, "taken", send_next, when=some_wait),
        on("refused", Ended, "free"),
        on("refused", PauseOver, "taken", send_next, when=some_wait),
        on("refused", PauseOver, "free"),
        on("refused", UserSpeaks, "listening"),
        on("refused", Lost, "away"),
        on("listening", Taken, "taken"),
        on("listening", UserSilent, "taken", send_next, when=some_wait),
        on("listening", UserSilent, "free"),
        on("listening", Lost, "away"),
    ),
    ignored={
        "away": (Asked, Taken, Vacated, Refused, Ended, PauseOver, UserSpeaks, UserSilent, Lost),
        "free": (Vacated, Refused, Ended, PauseOver, UserSilent, Ready),
        "taken": (Asked, Taken, Ended, PauseOver, UserSpeaks, UserSilent, Ready),
        "refused": (Asked, Vacated, Refused, UserSilent, Ready),
        "listening": (Asked, Vacated, Refused, Ended, PauseOver, UserSpeaks, Ready),
    },
)
