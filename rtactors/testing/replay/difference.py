"""What is told of a replay that is not what was recorded."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from msgspec import Struct, json

from rtactors.discretion import alike
from rtactors.recording import lines
from rtactors.recording.telling import sentence

_LONGEST, _BEFORE = 200, 40
"""Characters of what is told of a value, and how many of them stand before the difference."""
_STARS = re.compile(r"\*{3,}")
_FIRST = ("kind", "who", "to", "type", "call", "error")
_WHAT_IT_IS = ("kind", "who", "to", "mail.type", "event.type", "call")
"""If one of these is another, then it is another event altogether."""


class Difference(Struct, frozen=True):
    """Where a replay first is not what was recorded: at event `n`, which was `who`'s."""

    n: int
    who: str
    field: str
    """Which one of the event's, if all the rest of it is the same."""
    expected: str
    got: str

    def __str__(self) -> str:
        field = f", {self.field}" if self.field else ""
        return f"event {self.n} ({self.who}{field})\n  recorded: {self.expected}\n  replayed: {self.got}"


class Differs(AssertionError):
    """What was recorded does not happen again."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"the replay is not what was recorded, from here on: {difference}")
        self.difference = difference


class Found(NamedTuple):
    """A field by its path, as it was recorded and as it is now."""

    field: str
    expected: Any
    got: Any


def first_difference(
    expected: Any,  # noqa: ANN401 - JSON
    got: Any,  # noqa: ANN401 - JSON
    same_moment: Callable[[float, float], bool],
    path: str = "",
) -> Found | None:
    """The first field that is another one; None if there is none. Whether two times are the same, is asked."""
    match expected, got:
        case dict(), dict():
            both = cast("tuple[dict[str, Any], dict[str, Any]]", (expected, got))
            # What something is tells more than what is in it; and when it was is told by its place.
            parts = [
                (f"{path}.{name}" if path else name, both[0].get(name), both[1].get(name))
                for name in sorted({**both[0], **both[1]}, key=lambda name: name not in _FIRST)
                if path or name != "at"
            ]
        case list(), list() if len(cast("list[Any]", expected)) == len(cast("list[Any]", got)):
            pairs = zip(cast("list[Any]", expected), cast("list[Any]", got), strict=True)
            parts = [(f"{path}[{index}]", was, came) for index, (was, came) in enumerate(pairs)]
        case str(), str() if _STARS.sub("***", expected) == _STARS.sub("***", got):
            return None  # what a session leaves out of a text, it leaves out without its length
        case float(), float() if _is_time(path) and same_moment(expected, got):
            return None
        case _:
            return None if expected == got else Found(path, expected, got)
    return next(filter(None, (first_difference(was, came, same_moment, where) for where, was, came in parts)), None)


def told(
    expected: lines.Event, got: lines.Event | None, found: Found | None, because: BaseException | None
) -> Difference:
    """In words: the one field, if all else is the same; or what happens instead, if anything does."""
    if found and found.field not in _WHAT_IT_IS:
        was, came = _apart(*(json.encode(each).decode() for each in (found.expected, found.got)))
        return Difference(expected.n, expected.who, found.field, was, came)
    came = f"{got.who} {sentence(got)}" if got else "nothing happens"
    if because:
        came += f" (because of {type(because).__name__}: {because})"
    return Difference(expected.n, expected.who, "", f"{expected.who} {sentence(expected)}", came)


def _apart(was: str, came: str) -> list[str]:
    """Two long texts from shortly before they differ."""
    same = alike(was, came)
    if max(len(was), len(came)) > _LONGEST and same > _BEFORE:
        was, came = (f"...{each[same - _BEFORE :]}" for each in (was, came))
    return [each if len(each) <= _LONGEST else f"{each[:_LONGEST]}..." for each in (was, came)]


def _is_time(path: str) -> bool:
    name = path.rpartition(".")[2]
    return name == "at" or name.endswith("_at")
