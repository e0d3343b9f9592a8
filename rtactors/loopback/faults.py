"""Faults to provoke: rules by which events of given types are lost, late, doubled, altered, or end the connection.

    faults = Faults(
        drop("conversation.item.truncated"),
        delay("conversation.item.added", ms=300, where=lambda event: event["item"].get("role") == "assistant"),
        close("response.output_audio.delta", nth=12, code=1001, reason="Your session hit the maximum duration"),
    )

A rule applies to the `nth` event of its type (of those that fit `where`), counted over all sessions of a server, and
to `times` of them in a row (`ALWAYS` for all). The first rule that applies to an event decides.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from rtactors.loopback.script import Gate

ALWAYS = 1 << 62
Json: TypeAlias = dict[str, Any]
"""An event as it stands on the wire."""
Where: TypeAlias = Callable[[Json], bool]


class Drop(Struct, frozen=True):
    pass


class Late(Struct, frozen=True):
    """Others pass meanwhile; late ones stay in their order. Until the gate is open, or for `ms`."""

    gate: Gate | None = None
    ms: float = 0


class Alter(Struct, frozen=True):
    """What is sent instead."""

    change: Callable[[Json], list[Json]]


class Close(Struct, frozen=True):
    """The connection is closed instead of sending the event."""

    code: int
    reason: str


class Cut(Struct, frozen=True):
    """The network breaks when so many bytes of the event's frame were sent."""

    at_byte: int


class Refuse(Struct, frozen=True):
    """The client's event is answered by an error that names it, and has no effect."""

    code: str
    message: str


Act: TypeAlias = Drop | Late | Alter | Close | Cut | Refuse


class Rule(Struct, frozen=True, kw_only=True, eq=False):
    on: str
    act: Act
    nth: int
    times: int
    where: Where
    incoming: bool = False


def _anything(_event: Json) -> bool:
    return True


def drop(on: str, *, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """The event gets lost on its way to the client; what it reports has happened."""
    return Rule(on=on, act=Drop(), nth=nth, times=times, where=where)


def ignore(on: str, *, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """The *client's* event gets lost on its way to the server."""
    return Rule(on=on, act=Drop(), nth=nth, times=times, where=where, incoming=True)


def refuse(  # noqa: PLR0913 - as the others, and what is told; all but the type go by name
    on: str,
    *,
    code: str = "server_error",
    message: str = "The server had an error while processing your request.",
    nth: int = 1,
    times: int = 1,
    where: Where = _anything,
) -> Rule:
    """The *client's* event is refused, whatever it asks for."""
    return Rule(on=on, act=Refuse(code, message), nth=nth, times=times, where=where, incoming=True)


def delay(on: str, *, ms: float, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """The event comes so much later; what follows overtakes it."""
    return Rule(on=on, act=Late(ms=ms), nth=nth, times=times, where=where)


def hold(on: str, gate: Gate, *, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """The event comes when the gate is opened; what follows overtakes it."""
    return Rule(on=on, act=Late(gate=gate), nth=nth, times=times, where=where)


def edit(on: str, change: Callable[[Json], object], *, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """`change` alters the event in place."""

    def changed(event: Json) -> list[Json]:
        change(event)
        return [event]

    return Rule(on=on, act=Alter(changed), nth=nth, times=times, where=where)


def duplicate(on: str, *, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """The event comes twice."""
    return Rule(on=on, act=Alter(lambda event: [event, event]), nth=nth, times=times, where=where)


def inject(event: Json, *, before: str, nth: int = 1, times: int = 1, where: Where = _anything) -> Rule:
    """Something else comes before the event, such as a type that nobody knows."""
    return Rule(on=before, act=Alter(lambda given: [event, given]), nth=nth, times=times, where=where)


def close(on: str, *, code: int, reason: str = "", nth: int = 1, where: Where = _anything) -> Rule:
    """The server closes the connection instead of sending the event."""
    return Rule(on=on, act=Close(code, reason), nth=nth, times=1, where=where)


def cut(on: str, *, at_byte: int = 0, nth: int = 1, where: Where = _anything) -> Rule:
    """The network breaks in the middle of the event."""
    return Rule(on=on, act=Cut(at_byte), nth=nth, times=1, where=where)


class Faults:
    """The rules of one server, and how far each has counted."""

    def __init__(self, *rules: Rule) -> None:
        self.applied = [0] * len(rules)
        """How often each rule decided what became of an event."""
        self._rules = rules
        self._seen = [0] * len(rules)
        self._types = {(rule.on, rule.incoming) for rule in rules}

    def concern(self, event_type: str, *, incoming: bool = False) -> bool:
        """Whether any rule is about such events: others need not be looked at."""
        return (event_type, incoming) in self._types

    def find(self, event: Json, *, incoming: bool = False) -> Rule | None:
        """The rule that applies to this event, if one does. Each event is to be asked about once."""
        found: Rule | None = None
        for index, rule in enumerate(self._rules):
            if (rule.on, rule.incoming) != (event.get("type"), incoming) or not rule.where(event):
                continue
            self._seen[index] += 1
            if found is None and rule.nth <= self._seen[index] < rule.nth + rule.times:
                found = rule
                self.applied[index] += 1
        return found
