"""Who does the work that a speech model hands over, and how the model is let know that it can."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from rtactors.delegation.work import Agent, Request
from rtactors.errors import ConfigurationError
from rtactors.events import Function

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
    what is asked meanwhile steers it. An actor is one by `rtactors.delegation.by_actor`.
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
        if self.grace is not None and self.grace < 0:
            raise ConfigurationError(f"a time of grace is 0 or more seconds, not {self.grace}")
        if self.name == self.silence:
            raise ConfigurationError(f"two functions can't both be called {self.name!r}: name or silence has to change")

    @property
    def functions(self) -> tuple[Function, ...]:
        """What the model is to be able to call."""
        delegating = Function(self.name, self.description, _ARGUMENTS)
        return (delegating, Function(self.silence, _SILENCE, _NONE)) if self.silence else (delegating,)


def input_of(arguments: str) -> str:
    """What a function call asks for: the first argument that may hold it and isn't blank, else all as it was written;
    "" if it holds nothing but blanks.
    """
    try:
        given = msgspec.json.decode(arguments)
    except (ValueError, RecursionError):
        return arguments
    if isinstance(given, dict):
        fields = cast("dict[str, object]", given)
        for key in _KEYS:
            value = fields.get(key)
            if isinstance(value, str) and not _is_blank(value):
                return value
        if all(key in _KEYS and _is_blank(value) for key, value in fields.items()):
            return ""
    return arguments


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
