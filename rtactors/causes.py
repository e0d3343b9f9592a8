"""What went wrong: the errors in a group, however deep (task groups nest them), and an error in a sentence."""

from collections.abc import Iterator
from typing import cast

_LONGEST = 500
"""Characters of an exception's message that are told."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups; of an error that is no group, itself."""
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from causes(member)
    else:
        yield error


def sentence_of(error: BaseException) -> str:
    """The type and the message, as UTF-8 has it; of a group of errors those of the first.

    The error may be of any code's: its message may be long, hold half of a surrogate pair, or raise.
    """
    first, *others = causes(error)
    more = f" (and {len(others)} more)" if others else ""
    return f"{type(first).__name__}: {_message(first)}".removesuffix(": ") + more


def _message(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an error that can't be told is told by its type
        return ""
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}..."
    return message.encode(errors="replace").decode()
