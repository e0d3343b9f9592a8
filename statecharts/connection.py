"""The life of one connection to a provider: connecting -> configuring -> ready -> draining -> closed.

`configuring` lasts from the open socket until the server has taken over our settings: only then can a session rely on
it. They are sent when the server has greeted us, or at once, if it says nothing before. Asked to close, a connection
drains: what was accepted for sending goes out first. Each wait has a deadline (`Expired`). However a connection ends,
it ends in `closed` and tells why; the reason of the first cause stays.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Opened(Struct, frozen=True, tag=True, gc=False):
    """The socket is open; `greets` if the server speaks first."""

    greets: bool = True


class Greeted(Struct, frozen=True, tag=True, gc=False):
    """The server named the session; `first` if it did so before it was sent anything."""

    session_id: str
    first: bool = True


class Configured(Struct, frozen=True, tag=True, gc=False):
    """The server took over our settings."""


class CloseAsked(Struct, frozen=True, tag=True, gc=False):
    """The session is done with it."""


class Drained(Struct, frozen=True, tag=True, gc=False):
    """Everything accepted for sending was sent."""


class Broken(Struct, frozen=True, tag=True, gc=False):
    """The socket ended, could not be opened, or the server said that this session is over."""

    reason: str
    final: bool = False
    """True if another connection would end the same way: a refused key, an empty account."""


class Expired(Struct, frozen=True, tag=True, gc=False):
    """It was not set up in time."""


ConnectionEvent: TypeAlias = Opened | Greeted | Configured | CloseAsked | Drained | Broken | Expired


class Configure(Struct, frozen=True, tag=True, gc=False):
    """Send our settings."""


class TellReady(Struct, frozen=True, tag=True, gc=False):
    """It is set up: the link is to know."""


class TellClosed(Struct, frozen=True, tag=True, gc=False):
    """The connection is over; `reason` is empty if we wanted it."""

    reason: str
    final: bool = False
    """As in `Broken`."""


ConnectionEffect: TypeAlias = Configure | TellReady | TellClosed


def greets(event: Opened) -> bool:
    return event.greets


def came_first(event: Greeted) -> bool:
    return event.first


def configure(_id: str, _event: Opened | Greeted) -> Configure:
    return Configure()


def tell_ready(_id: str, _event: Configured) -> TellReady:
    return TellReady()


def tell_closed(_id: str, _event: Drained | CloseAsked) -> TellClosed:
    return TellClosed("")


def tell_broken(_id: str, event: Broken) -> TellClosed:
    return TellClosed(event.reason, event.final)


def tell_unreachable(_id: str, _event: Expired) -> TellClosed:
    return TellClosed("the server could not be reached in time")


def tell_unanswered(_id: str, _event: Expired) -> TellClosed:
    return TellClosed("the server accepted the connection but did not set the session up in time")


CONNECTION: Chart[ConnectionEvent, ConnectionEffect] = Chart(
    "connection",
    states={
        "connecting": "the socket is being opened",
        "configuring": "open; the server has not taken over our settings",
        "ready": "in use",
        "draining": "closing; what was accepted goes out first",
    },
    final={"closed": "over"},
    edges=(
        on("connecting", Opened, "configuring", when=greets),
        on("connecting", Opened, "configuring", configure),
        on("connecting", Broken, "closed", tell_broken),
        on("connecting", CloseAsked, "closed", tell_closed),
        on("connecting", Expired, "closed", tell_unreachable),
        on("configuring", Greeted, "configuring", configure, when=came_first),
        on("configuring", Greeted, "configuring"),
        on("configuring", Configured, "ready", tell_ready),
        on("configuring", Broken, "closed", tell_broken),
        on("configuring", CloseAsked, "closed", tell_closed),
        on("configuring", Expired, "closed", tell_unanswered),
        on("ready", CloseAsked, "draining"),
        on("ready", Broken, "closed", tell_broken),
        on("draining", Drained, "closed", tell_closed),
        on("draining", Broken, "closed", tell_broken),
    ),
    ignored={
        "ready": (Greeted, Configured, Expired),
        "draining": (CloseAsked, Greeted, Configured, Expired),
        "closed": (Opened, Greeted, Configured, CloseAsked, Drained, Broken, Expired),
    },
)
