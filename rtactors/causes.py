"""What went wrong: the errors in a group, however deep (task groups nest them), and an error in a sentence."""

from collections.abc import Iterator
from typing import cast

import anyio

from rtactors.errors import ReplyFailed, RtactorsError

_LONGEST = 500
"""Characters of an exception's message that are told."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups; of an error that is no group, itself."""
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from causes(member)
    else:
        yield error


def the_cause(group: BaseExceptionGroup[BaseException], failure: RtactorsError | None) -> BaseException:
    """The one error in nested groups, so that `except SessionClosed` works; the group itself if there are several.

    Cancellations don't count. Nor does what an app is told of the `failure` by which the session ended, when it goes on
    using it or waits for a reply: the failure is the cause, whoever was the first to say so.
    """
    errors = [error for error in causes(group) if not isinstance(error, anyio.get_cancelled_exc_class())]
    if failure:
        others = [error for error in errors if error is not failure and not _tells(error, failure)]
        errors = others if len(others) == len(errors) else [failure, *others]
    return errors[0] if len(errors) == 1 else group


def _tells(error: BaseException, failure: RtactorsError) -> bool:
    return error.__cause__ is failure or (isinstance(error, ReplyFailed) and str(failure) in str(error))


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
