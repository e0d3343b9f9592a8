"""A Python function that the model may call, and how it is called."""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, get_args, overload

from rtactors import arguments
from rtactors.arguments import is_function_name
from rtactors.errors import ConfigurationError
from rtactors.events import Function
from rtactors.limits import Bounds
from rtactors.tools.docstring import described
from rtactors.tools.parameters import Parameters, underneath_of

P = ParamSpec("P")
R = TypeVar("R")

OnInterrupt: TypeAlias = Literal["finish", "cancel"]


class Tool(Generic[P, R]):
    """A function with what the model is told of it; made by `tool`, which says what the options are.

    It can be called as the function itself. Raises ConfigurationError for a function that a model can't call.
    """

    def __init__(  # noqa: PLR0913 - options, by name
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float = 30.0,
        on_interrupt: OnInterrupt = "finish",
        reply: bool = True,
        idempotent: bool = False,
    ) -> None:
        if not callable(function):
            raise ConfigurationError(f"a tool is made of a function, not of {function!r}")
        if isinstance(function, Tool):
            raise ConfigurationError(f"{function!r} is a tool already: give it all of its options at once")
        self.function = function
        self.name = _name(function) if name is None else name
        if not is_function_name(self.name):
            raise ConfigurationError(
                f"a tool can't be called {self.name!r}: give it a name of letters, digits, _ and -, of up to 64 "
                'characters, by `tool(name="...")(function)`'
            )
        if not (isinstance(timeout, int | float) and 0 < timeout < math.inf):  # pyright: ignore[reportUnnecessaryIsInstance]  an app may not check types
            raise ConfigurationError(f"the timeout of the tool {self.name!r} is {timeout!r}: give it some seconds")
        if description is not None:
            arguments.text(f"the description of the tool {self.name!r}", description, Bounds().text)
        if on_interrupt not in get_args(OnInterrupt):
            raise ConfigurationError(
                f"on_interrupt of the tool {self.name!r} is {on_interrupt!r}, and has to be 'finish' or 'cancel'"
            )
        told = described(underneath_of(function).__doc__)
        self.parameters = Parameters(self.name, function, told)
        self.declaration = Function(
            name=self.name,
            description=told.summary if description is None else description,
            parameters=self.parameters.schema,
        )
        """What the provider is told."""
        self.is_async = inspect.iscoroutinefunction(underneath_of(function))
        """If not, it runs in a thread."""
        self.timeout = timeout
        self.on_interrupt = on_interrupt
        self.reply = reply
        self.idempotent = idempotent
        if _yields(underneath_of(function)):
            raise ConfigurationError(
                f"the tool {self.name!r} yields: return what the model is to know, and tell what comes before by "
                "`Call.progress`"
            )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
    reply: bool = True,
    idempotent: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Let the model call a function: `@tool`, `@tool(timeout=5)`, or `tool(timeout=5)(function)` where it is used.

    The model is told its name, the first paragraph of its docstring, and of each parameter the type, the default and
    what `Annotated[..., msgspec.Meta(description=...)]` or the docstring's section `Args:` says. An async function runs
    in the session's task group, any other one in a thread. What it returns is told as it is if it is text, otherwise as
    JSON; an exception by its type and message.

    `name`, `description`: instead of the function's.
    `timeout`: seconds from its beginning (and as many at most before it, if it has to wait for a place); then the model
    is told so.
    `on_interrupt`: what becomes of a call when the user interrupts. `finish`: it runs to its end, so that no order is
    half made; `cancel`: the model is told that it was cancelled, and an async function is.
    `reply`: whether the model is asked to speak once the output is in.
    `idempotent`: whether it may be run again for the same call, in a session that is resumed.
    """
    return Tool(function, **options) if function else functools.partial(Tool, **options)


def tools_of(functions: Sequence[Tool[..., Any] | Callable[..., Any]]) -> dict[str, Tool[..., Any]]:
    """By name. Raises ConfigurationError if one of them is no function, or two have the same name; TypeError."""
    given = cast("object", functions)
    if isinstance(given, str | Tool) or not isinstance(given, Iterable):
        raise TypeError(f"tools are given as a list of functions, such as [get_weather], not as {given!r}")
    found: dict[str, Tool[..., Any]] = {}
    for function in functions:
        each: Tool[..., Any] = cast("Tool[..., Any]", function) if isinstance(function, Tool) else Tool(function)
        if found.setdefault(each.name, each) is not each:
            raise ConfigurationError(
                f'two tools are called {each.name!r}: give one another name, by `tool(name="...")(function)`'
            )
    return found


def _name(function: Any) -> str:  # noqa: ANN401 - whatever can be called
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def _yields(function: object) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
