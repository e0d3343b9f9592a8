"""What an app may want of a session, and of a reply: the arguments of both, by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from rtactors.alignment import Aligner
from rtactors.events import Item
from rtactors.interruption import Interruption, InterruptionRule
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.pipeline import Pipeline
from rtactors.tools.tool import Tool
from rtactors.transports.base import Connect
from rtactors.voices.base import Voice

if TYPE_CHECKING:  # what only some sessions have is imported by those
    from rtactors.delegation.delegate import Delegate
    from rtactors.recording.tap import Tap

Tools: TypeAlias = Sequence[Tool[..., Any] | Callable[..., Any]]


class Options(TypedDict, total=False):
    """How a session behaves, whatever it says; as in `Session`."""

    tools: Tools
    delegate: "Delegate | None"
    interruption: Interruption
    interruption_rule: InterruptionRule | None
    aligner: Aligner | None
    cut_mark: str
    connect: Connect | None
    reconnect: Backoff | None
    deadlines: Deadlines
    bounds: Bounds
    recorder: "Tap | None"
    voice: Voice | None
    pipeline: Pipeline


class WantedWords(TypedDict, total=False):
    """How a reply takes its turn, whatever it says."""

    priority: int
    """0 if it is left out. Replies with more of it are asked for before others that wait. What the model has made
    already is heard before it, in the order of the server's history: `interrupt` what may not be."""
    timeout: float | None
    """Seconds within which the server has to start it, its waiting included; else it is given up (ReplyFailed)."""
    interruption: Interruption | None
    """When the user may interrupt it."""


class Wanted(WantedWords, total=False):
    """How a reply is to be; what is left out is as the session has it."""

    instructions: str | None
    """Instead of the session's."""
    tool_choice: str | None
    """`auto`, `none`, `required`, or the name of the function that the model has to call."""
    tools: Tools | None
    """Functions that the model may call in this reply, instead of the session's."""
    output: Literal["audio", "text"] | None
    max_output_tokens: int | None
    metadata: Mapping[str, str]
    """Kept by the server with its response."""


class WantedReply(Wanted, total=False):
    """The same, of one that need not answer the conversation."""

    input: Sequence[Item] | None
    """What it answers instead of the conversation; `Item(id=...)`, without more, is one of the conversation's."""
    out_of_band: bool
    """Beside all others, at once, outside of the conversation: never heard, nor in the history; see `Reply.output`."""
