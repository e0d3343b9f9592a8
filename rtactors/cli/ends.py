"""How a command ends: its exit codes, and what ended it, also from within nested groups."""

from collections.abc import Iterator
from typing import cast

OK, FAILED, USAGE, STOPPED = 0, 1, 2, 130


class Interrupted(Exception):
    """It was stopped from outside where that needs a word, which is the message."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from causes(inner)
    else:
        yield error


def by_ctrl_c(error: BaseException) -> bool:
    return any(isinstance(cause, KeyboardInterrupt) for cause in causes(error))


def by_broken_pipe(error: BaseException) -> bool:
    """Who read us has read enough."""
    return all(isinstance(cause, BrokenPipeError) for cause in causes(error))
