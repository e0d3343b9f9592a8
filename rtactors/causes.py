"""What is in a group of errors, however deep: task groups put what went wrong in a task into one, and nest them."""

from collections.abc import Iterator
from typing import cast


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups; of an error that is no group, itself."""
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from causes(member)
    else:
        yield error


def message_of(error: BaseException) -> str:
    """What it says, as text that can be written as UTF-8; "" if it can't say it."""
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:  # noqa: BLE001 - an error that can't be told is told by its type
        return ""
