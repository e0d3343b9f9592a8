"""Replay: let happen again what was recorded, and see whether the same comes of it (I12).

    replay("call.jsonl")      # raises Differs where it does not

The real actors run, all of them, each in its own task. The recording plays what is outside of them: the network, the
audio device, what the app and the session ask for, the reminders, the clock; and it says whose turn it is. What the
actors then do (send, publish, ask to be reminded of, tell the device) has to be the same, event by event, and so has
the history.

What it can't tell: why the app called, a device reported or a frame came just then, since these are what is given. A
moment that an actor looks up is known as exactly as its turn was short: to the bit in virtual time, otherwise it may
lie anywhere between the turns around it.
"""

from rtactors.testing.replay.difference import Difference, Differs
from rtactors.testing.replay.session import Moment, replay

__all__ = ["Difference", "Differs", "Moment", "replay"]
