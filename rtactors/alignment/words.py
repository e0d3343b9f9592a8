"""What the words of a text are, in any script. Pure."""

import re
from unicodedata import east_asian_width

_SPACED = re.compile(r"\s*\S+(?:\s+$)?|^\s+$")


def whole_words(text: str, *, over: bool) -> list[str]:
    """Its words, each with the white space before it (the last one also with what is after it): joined, the text.

    Without what may still grow, if the text is not `over`. Chinese and Japanese put no spaces between theirs.
    """
    words = [word for run in _SPACED.findall(text) for word in _parted(run)]
    if over or not words:
        return words
    *whole, last = words
    return [*whole, last.rstrip()] if last.rstrip() and last[-1].isspace() else whole


def _parted(run: str) -> list[str]:
    """What stands between two spaces, cut wherever it may be."""
    parts: list[str] = []
    start = 0
    for end in range(1, len(run)):
        if not run[:end].isspace() and "W" in {east_asian_width(run[end - 1]), east_asian_width(run[end])}:
            parts.append(run[start:end])
            start = end
    return [*parts, run[start:]]
