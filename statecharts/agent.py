"""What the agent is doing, as the user of it would say: initializing -> listening <-> thinking <-> speaking.

It follows from the states of the responses and of their messages, and is never set by hand: it speaks while a response
is being heard, from its first message to its last; it thinks while one is asked for or generated and nothing is heard;
else it listens. While it is held (`pause`) it doesn't speak.
"""

from typing import TypeAlias

from msgspec import Struct

from statecharts.chart import Chart, on


class Connected(Struct, frozen=True, tag=True, gc=False):
    """The first server is there."""


class Listens(Struct, frozen=True, tag=True, gc=False):
    """Nothing is asked for, generated or heard."""


class Thinks(Struct, frozen=True, tag=True, gc=False):
    """A response is asked for or generated, and nothing is heard."""


class Speaks(Struct, frozen=True, tag=True, gc=False):
    """A response is being heard."""


class Closed(Struct, frozen=True, tag=True, gc=False):
    """No server will come any more."""


AgentEvent: TypeAlias = Connected | Listens | Thinks | Speaks | Closed

AGENT: Chart[AgentEvent, None] = Chart(
    "agent",
    states={
        "initializing": "no server is there yet",
        "listening": "nothing is asked for, generated or heard",
        "thinking": "a response is asked for or generated, and nothing is heard",
        "speaking": "a response is being heard",
    },
    final={"closed": "the session is over"},
    edges=(
        on("initializing", Connected, "listening"),
        on("initializing", Closed, "closed"),
        on("listening", Thinks, "thinking"),
        on("listening", Speaks, "speaking"),
        on("listening", Closed, "closed"),
        on("thinking", Listens, "listening"),
        on("thinking", Speaks, "speaking"),
        on("thinking", Closed, "closed"),
        on("speaking", Listens, "listening"),
        on("speaking", Thinks, "thinking"),
        on("speaking", Closed, "closed"),
    ),
    ignored={
        "initializing": (Listens, Thinks, Speaks),
        "listening": (Connected, Listens),
        "thinking": (Connected, Thinks),
        "speaking": (Connected, Speaks),
        "closed": (Connected, Listens, Thinks, Speaks, Closed),
    },
)
