"""What a function takes: as JSON Schema for the model, and as a type that what the model sends is decoded to.

Both are msgspec's, so a type is taken exactly as it is described. What the model leaves out is left out of the call:
defaults stay the function's own.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, Union, get_args, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType, defstruct

from rtactors.causes import sentence_of
from rtactors.errors import ConfigurationError
from rtactors.tools.call import Call
from rtactors.tools.docstring import Described

_EMPTY = inspect.Parameter.empty
_WAYS_OUT = {
    inspect.Parameter.POSITIONAL_ONLY: "the model gives arguments by name: remove the `/` behind it",
    inspect.Parameter.VAR_POSITIONAL: "the model gives arguments by name: take a list instead",
    inspect.Parameter.VAR_KEYWORD: "the model has to know the names: take a dict instead, or write the parameters out",
}
_LONGEST = 500
"""Characters of what is quoted of what the model sent."""
_PATH = re.compile(r" - at `\$(?:\.(\w+))?([^`]*)`$")


class BadArguments(Exception):
    """What the model sent does not fit; the message is for the model."""


class Parameters:
    """Of one function. Raises ConfigurationError for one that a model can't call; `name` is for that."""

    def __init__(self, name: str, function: Callable[..., Any], described: Described) -> None:
        self.call: str | None = None
        """The parameter that takes the `Call`, if there is one."""
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        defaults: dict[str, Any] = {}
        hints = _hints(name, function)
        given = _given(function)
        for parameter in _signature(name, function).parameters.values():
            where = f"the parameter {parameter.name!r} of the tool {name!r}"
            if way_out := _WAYS_OUT.get(parameter.kind):
                raise ConfigurationError(f"{where} can't be called by a model, since {way_out}")
            if parameter.name in given:
                continue  # the app has decided it
            if parameter.name not in hints:
                raise ConfigurationError(
                    f"{where} has no type, which the model has to know: write `{parameter.name}: str`, or what it is"
                    + (". Of a method, make a tool once it is bound: tool(thing.method)" * (parameter.name == "self"))
                )
            hint = hints[parameter.name]
            if _takes_call(hint):
                self.call = parameter.name
            elif parameter.default is _EMPTY:
                fields.append((parameter.name, hint))
            else:
                fields.append((parameter.name, Union[hint, UnsetType], UNSET))  # noqa: UP007 - hints are values here
                defaults[parameter.name] = parameter.default
        arguments = defstruct(f"{name}_arguments", fields, kw_only=True, forbid_unknown_fields=True)
        self.schema = _schema(name, arguments, described, defaults)
        self._decoder = msgspec.json.Decoder(arguments)

    def decode(self, arguments: str) -> dict[str, Any]:
        """As keyword arguments. Raises BadArguments."""
        try:
            found = self._decoder.decode(arguments or "{}")  # some servers send nothing if there are none
        except msgspec.ValidationError as error:
            raise BadArguments(self._explain(str(error))) from None
        except msgspec.DecodeError as error:
            raise BadArguments(f"the arguments are no JSON: {error}") from None
        except RecursionError:
            raise BadArguments("the arguments are nested too deeply") from None
        except Exception as error:  # noqa: BLE001 - a type of the app's that looks at its values, and refuses them
            raise BadArguments(f"the arguments were refused: {sentence_of(error)}") from None
        values = ((name, getattr(found, name)) for name in found.__struct_fields__)
        return {name: value for name, value in values if value is not UNSET}

    def _explain(self, error: str) -> str:
        """What was expected and where is msgspec's word; which values an enum has it doesn't say."""
        path = _PATH.search(error)
        if path is None or path[1] is None:
            return error if len(error) <= _LONGEST else f"{error[:_LONGEST]}..."
        schema = self.schema["properties"].get(path[1], {})
        wanted = {**schema, **self.schema.get("$defs", {}).get(schema.get("$ref", "").rpartition("/")[2], {})}
        found, takes = error[: min(path.start(), _LONGEST)], msgspec.json.encode(wanted).decode()
        return f"argument `{path[1]}{path[2]}`: {found}. It takes {takes}"


def _given(function: object) -> frozenset[str]:
    """The keyword arguments that a partial has already."""
    return frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()


def _signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError as error:
        raise ConfigurationError(f"nobody can tell what the tool {name!r} takes ({error}): wrap it in a def") from None


def _hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """The types of its parameters; what it returns may be of a type that only a type checker knows."""
    underneath = inspect.unwrap(underneath_of(function))
    written: dict[str, Any] = getattr(underneath, "__annotations__", {})

    def of_parameters() -> None: ...

    of_parameters.__annotations__ = {parameter: hint for parameter, hint in written.items() if parameter != "return"}
    try:
        return get_type_hints(of_parameters, getattr(underneath, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"a type in the signature of the tool {name!r} is unknown where the function is defined: {error}. "
            "Import it at the top of the module, not under TYPE_CHECKING"
        ) from None


def underneath_of(function: Any) -> Any:  # noqa: ANN401 - whatever can be called
    """What is written down somewhere: the function in a partial, the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _takes_call(hint: object) -> bool:
    return hint is Call or Call in get_args(hint)


def _schema(
    name: str, arguments: type[msgspec.Struct], described: Described, defaults: dict[str, Any]
) -> dict[str, Any]:
    try:
        (reference,), definitions = msgspec.json.schema_components((arguments,))
    except TypeError as error:
        raise ConfigurationError(
            f"a type in the signature of the tool {name!r} has no JSON to go with it: {str(error).splitlines()[-1]}. "
            "Take text, numbers, lists, dicts, Literal, Enum, TypedDict, dataclasses or msgspec Structs"
        ) from None
    schema = definitions.pop(reference["$ref"].rpartition("/")[2])
    del schema["title"]
    for parameter, told in schema["properties"].items():
        if text := described.parameters.get(parameter):
            told.setdefault("description", text)
        if parameter in defaults and _is_plain(defaults[parameter]):
            told["default"] = msgspec.to_builtins(defaults[parameter])
    return {**schema, "$defs": definitions} if definitions else schema


def _is_plain(value: object) -> bool:
    """Whether the model can be told what it is."""
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
