"""What a session has of connections: connecting -> connected -> (preparing -> prepared -> changing) -> closed.

A connection (`statecharts.connection`) is one socket and what one server holds; the link is the session's, and lasts.
When the connection in use is lost, another one is made (`reconnecting`), each attempt after a pause, unless that can't
help (`final`: a refused key, an empty account, no patience left). The first one is not tried again: whoever opens a
session learns at once why it can't be.
Providers end a session at a limit. Before that the next connection is made while the one in use goes on (`preparing`),
and takes over (`changing`) at a moment when nothing is said, at the latest when the limit is there. The new server
knows nothing of the conversation: it is told when its connection is taken into use, and before that all have forgotten
what the old one held.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Up(Struct, frozen=True, tag=True, gc=False):
    """The connection that is being made is set up, and what the one before it held is forgotten."""


class Failed(Struct, frozen=True, tag=True, gc=False):
    """The connection that is being made ended; `final` if to try again can't help."""

    reason: str
    final: bool


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The connection in use ended, though we did not want it; `final` if another one can't help."""

    reason: str
    final: bool


class LimitNear(Struct, frozen=True, tag=True, gc=False):
    """The provider will soon end the connection in use."""


class MomentCame(Struct, frozen=True, tag=True, gc=False):
    """Nothing is being said, asked or awaited; or there is no time left to wait for that."""


class CloseAsked(Struct, frozen=True, tag=True, gc=False):
    """The session is done."""


LinkEvent: TypeAlias = Up | Failed | Lost | LimitNear | MomentCame | CloseAsked


class Connect(Struct, frozen=True, tag=True, gc=False):
    """Make the next connection."""


class Adopt(Struct, frozen=True, tag=True, gc=False):
    """Take the new connection into use: its server is told the conversation."""


class Forget(Struct, frozen=True, tag=True, gc=False):
    """Give up the connection in use, if it is there: nothing that its server holds counts any more."""

    reason: str


class AwaitMoment(Struct, frozen=True, tag=True, gc=False):
    """Wait for a moment at which nothing is said."""


class Report(Struct, frozen=True, tag=True, gc=False):
    """Tell the app that there will be no next connection."""

    reason: str


class End(Struct, frozen=True, tag=True, gc=False):
    """There is no connection any more; `reason` is empty if we wanted it."""

    reason: str


LinkEffect: TypeAlias = Connect | Adopt | Forget | AwaitMoment | Report | End


def final(event: Failed | Lost) -> bool:
    return event.final


def connect(_id: str, _event: Failed | Lost | LimitNear) -> Connect:
    return Connect()


def adopt(_id: str, _event: Up) -> Adopt:
    return Adopt()


def forget(_id: str, event: Lost) -> Forget:
    return Forget(event.reason)


def forget_expiring(_id: str, _event: MomentCame) -> Forget:
    return Forget("the provider's time limit is near")


def await_moment(_id: str, _event: Up) -> AwaitMoment:
    return AwaitMoment()


def report(_id: str, event: Failed) -> Report:
    return Report(event.reason)


def end(_id: str, event: Failed | Lost) -> End:
    return End(event.reason)


def end_wanted(_id: str, _event: CloseAsked) -> End:
    return End("")


LINK: Chart[LinkEvent, LinkEffect] = Chart(
    "link",
    states={
        "connecting": "the first connection is being made",
        "connected": "a connection is in use",
        "preparing": "in use; the next one is being made",
        "prepared": "in use; the next one is set up and waits for a quiet moment",
        "changing": "the next one is set up and takes over",
        "reconnecting": "none is there; the next one is being made",
    },
    final={"closed": "over; what was accepted for sending still goes out"},
    edges=(
        on("connecting", Up, "connected", adopt),
        on("connecting", Failed, "closed", end),
        on("connecting", CloseAsked, "closed", end_wanted),
        on("connected", LimitNear, "preparing", connect),
        on("connected", Lost, "closed", end, when=final),
        on("connected", Lost, "reconnecting", forget, connect),
        on("connected", CloseAsked, "closed", end_wanted),
        on("preparing", Up, "prepared", await_moment),
        on("preparing", Failed, "connected", report, when=final),
        on("preparing", Failed, "preparing", connect),
        on("preparing", Lost, "closed", end, when=final),
        on("preparing", Lost, "reconnecting", forget),
        on("preparing", CloseAsked, "closed", end_wanted),
        on("prepared", MomentCame, "changing", forget_expiring),
        on("prepared", Failed, "preparing", connect),
        on("prepared", Lost, "closed", end, when=final),
        on("prepared", Lost, "changing", forget),
        on("prepared", CloseAsked, "closed", end_wanted),
        on("changing", Up, "connected", adopt),
        on("changing", Failed, "closed", end, when=final),
        on("changing", Failed, "reconnecting", connect),
        on("changing", CloseAsked, "closed", end_wanted),
        on("reconnecting", Up, "connected", adopt),
        on("reconnecting", Failed, "closed", end, when=final),
        on("reconnecting", Failed, "reconnecting", connect),
        on("reconnecting", CloseAsked, "closed", end_wanted),
    ),
    ignored={
        "connecting": (LimitNear, MomentCame),
        "connected": (MomentCame,),
        "preparing": (LimitNear, MomentCame),
        "prepared": (LimitNear,),
        "changing": (LimitNear, MomentCame),
        "reconnecting": (LimitNear, MomentCame),
        "closed": (Up, Failed, Lost, LimitNear, MomentCame, CloseAsked),
    },
)
