"""What the model reads of what a function gave or raised."""

import traceback
from pathlib import Path

import msgspec

from rtactors import arguments
from rtactors.causes import causes, message_of

_LONGEST_ERROR = 500
"""Characters of an exception's message that the model is told."""


class NoOutput(Exception):
    """What a function gave can't be told; the message says why."""


def output_of(result: object, longest: int) -> str:
    """Text as it is, nothing as nothing, all else as JSON. Raises NoOutput."""
    try:
        text = _text_of(result)
        return arguments.text("its output", text, longest)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        what = f"the function has run, but what it gave ({type(result).__name__}) can't be told"
        raise NoOutput(f"{what}: {error}") from None


def _text_of(result: object) -> str:
    match result:
        case None:
            return ""
        case str():
            return str.__str__(result)
        case _:
            return msgspec.json.encode(result).decode()


def error_of(error: BaseException) -> str:
    """The type and the message; of a group of errors those of the first."""
    first, *others = causes(error)
    more = f" (and {len(others)} more)" if others else ""
    return f"{type(first).__name__}: {_message(first)}".removesuffix(": ") + more


def _message(error: BaseException) -> str:
    message = message_of(error)
    return message if len(message) <= _LONGEST_ERROR else f"{message[:_LONGEST_ERROR]}..."


def place_of(error: BaseException) -> str:
    """Where it was raised, for whoever mends it; "" if that is not known."""
    first = next(causes(error))
    frames = traceback.extract_tb(first.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else ""
