"""Which events are given from outside, and what they let happen."""

from rtactors.recording import lines
from rtactors.recording.notes import APP, DEVICE, REMINDERS
from rtactors.recording.reading import Recorded

_AT_ONCE_S = 0.001
"""So soon an actor goes on in real time with what it is doing; in virtual time that takes none."""


def turn_of(event: lines.Event) -> object:  # noqa: PLR0911 (a table)
    """What it lets happen; None if nobody waits for its turn with it."""
    match event:
        case lines.Taken() | lines.Cancelled(call="take"):
            return "take", event.who
        case lines.Begun():
            return "begin", event.task
        case lines.Awaited() | lines.Cancelled(call="wait"):
            return "wait", event.wait
        case lines.Device(call="stopped") | lines.Cancelled(call="play"):
            return "play"
        case lines.Journal():
            return event.call, 0
        case lines.Socket() | lines.Cancelled():
            return event.call, event.socket
        case _:
            return None


def is_from_outside(event: lines.Event) -> bool:
    """Whether it is given, instead of following from what was before."""
    match event:
        case lines.Sent():
            return event.who in {APP, DEVICE, REMINDERS}
        case lines.Published():  # by a companion, which a replay has none of
            return event.who == APP
        case lines.Over():
            return True
        case _:
            return turn_of(event) is not None


def takes_time(before: Recorded, after: Recorded) -> bool:
    """Whether the clock went on while an actor did something: then it is a real one."""
    one, other = before.event, after.event
    return one.who == other.who and not is_from_outside(other) and 0 < other.at - one.at < _AT_ONCE_S
