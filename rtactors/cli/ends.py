"""How a command ends: its exit codes, and what ended it, also from within nested groups."""

from rtactors.causes import causes

OK, FAILED, USAGE, STOPPED = 0, 1, 2, 130


class Interrupted(Exception):
    """It was stopped from outside where that needs a word, which is the message."""


def by_ctrl_c(error: BaseException) -> bool:
    return any(isinstance(cause, KeyboardInterrupt) for cause in causes(error))


def by_broken_pipe(error: BaseException) -> bool:
    """Who read us has read enough."""
    return all(isinstance(cause, BrokenPipeError) for cause in causes(error))
