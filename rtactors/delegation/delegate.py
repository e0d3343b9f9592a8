"""Who does the work that a speech model hands over, and how the model is let know that it can."""

import inspect
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from rtactors import arguments
from rtactors.arguments import is_function_name
from rtactors.delegation.work import Agent, Request
from rtactors.errors import ConfigurationError
from rtactors.events import Function
from rtactors.limits import Bounds

_KEYS = ("input_transcript", "input", "text", "prompt", "query")
"""The arguments that may hold what is asked: the first that isn't blank does."""
_DESCRIPTION = (
    "Hand work to the background agent, who can do what you can't: look things up, plan, calculate, act. Also hand it "
    "whatever the user adds or changes while it works. It answers later; until then tell the user that it is under way."
)
_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {
            "type": "string",
            "description": "What the user wants, in full, with all that the agent has to know.",
        }
    },
    "required": ["prompt"],
    "additionalProperties": False,
}
_SILENCE = "Call this if nothing should be said now, such as when the user speaks to somebody else."
_NONE: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

Tail: TypeAlias = Callable[[Request], Awaitable[None]]
"""Takes what is left of a conversation that has ended."""


class Delegate(Struct, frozen=True):
    """Who does the work that a speech model hands over: `Session(..., delegate=Delegate(plan))`.

    `agent` is any async function from a `Work` to the answer: `async def plan(work: Work) -> str`. One works at a time;
    what is asked meanwhile steers it. An actor is one by `rtactors.delegation.by_actor`. Raises TypeError, ValueError
    and ConfigurationError for what can't be.
    """

    agent: Agent
    grace: float | None = None
    """Seconds in which the words that trail a request are collected, before the agent has it; 0: none. Left out, it is
    1 for providers that announce requests ahead of their words (V1), 0 for function calls (V2)."""
    name: str = "background_agent"
    """Of the function by which work is handed over (V2)."""
    description: str = _DESCRIPTION
    """What the model is told of it."""
    silence: str | None = "remain_silent"
    """The name of the function by which the model says that nothing is to be said (V2); None: there is none."""
    speak_progress: bool = False
    """Ask for a reply to each progress (V2). Otherwise the model has it for when it speaks next."""
    unattached: str | None = None
    """Under which id to append what an agent says when its work is over (V1; the Codex app takes `codex`); None: it is
    dropped."""
    tail: Tail | None = None
    """Is given what nobody was told when the session ends: what was said since the last request, and what was asked and
    not handed over. It has `Deadlines.close` for that. None: nothing is run after the end."""

    def __post_init__(self) -> None:
        if not callable(self.agent):
            raise TypeError(f"an agent is an async function from Work to text, not a {type(self.agent).__name__}")
        if inspect.isasyncgenfunction(self.agent):
            raise TypeError(
                "an agent returns its answer once, it does not yield: tell what comes before by Work.progress"
            )
        if self.tail is not None and not callable(self.tail):
            raise TypeError(f"a tail is an async function that takes a Request, not a {type(self.tail).__name__}")
        grace = cast("object", self.grace)
        if grace is not None and not isinstance(grace, int | float):
            raise TypeError(f"a time of grace is a number of seconds, not {grace!r}")
        if grace is not None and not 0 <= grace < math.inf:
            raise ConfigurationError(f"a time of grace is 0 or more seconds, not {grace}")
        arguments.text("description", self.description, Bounds().text)
        if self.unattached is not None:
            arguments.text("unattached", self.unattached, Bounds().text)
        for name in (self.name,) if self.silence is None else (self.name, self.silence):
            if not is_function_name(name):
                raise ConfigurationError(
                    f"a function of the delegate can't be called {name!r}: take letters, digits, _ and -, up to 64"
                )
        if self.name == self.silence:
            raise ConfigurationError(f"two functions can't both be called {self.name!r}: name or silence has to change")

    @property
    def functions(self) -> tuple[Function, ...]:
        """What the model is to be able to call."""
        delegating = Function(self.name, self.description, _ARGUMENTS)
        return (delegating, Function(self.silence, _SILENCE, _NONE)) if self.silence else (delegating,)


def input_of(written: str) -> str:
    """What a function call asks for: the first argument that may hold it and isn't blank, else all as it was written;
    "" if it holds nothing but blanks.
    """
    try:
        given = msgspec.json.decode(written)
    except (ValueError, RecursionError):
        return written
    if isinstance(given, dict):
        fields = cast("dict[str, object]", given)
        for key in _KEYS:
            value = fields.get(key)
            if isinstance(value, str) and not _is_blank(value):
                return value
        if all(key in _KEYS and _is_blank(value) for key, value in fields.items()):
            return ""
    return written


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
