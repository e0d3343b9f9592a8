"""The active transcript: what was said in the conversation and not yet told to the agent, by item.

Synchronous and pure. An item has one entry, and the entry its place where the item began: words that are written down
late stand where they were said, and a late completion replaces the words of its own entry. What was taken once is not
taken twice; what of an item comes after that goes with the next.
"""

from typing import Literal, TypeAlias
from unicodedata import east_asian_width

from msgspec import Struct

MOST_ENTRIES = 1024
"""Items that are remembered; then the oldest is forgotten."""
MOST_CHARACTERS = 256 * 1024
"""Of all items together, and of each one; the same happens there, and an item keeps its beginning."""

Speaker: TypeAlias = Literal["user", "assistant"]


class Line(Struct, frozen=True, gc=False):
    """What one of them said, as far as it is new."""

    role: Speaker
    text: str
    corrects: bool = False
    """True if words that were taken before turned out otherwise: this is all of the item, instead of them."""

    def __str__(self) -> str:
        if not self.corrects:
            return f"{self.role}: {self.text}"
        nothing = "(nothing of it was heard)" if self.role == "assistant" else "(nothing was said)"
        return f"{self.role} (correction): {self.text or nothing}"


class _Entry:
    """One item: what is known of its words, and what of them was taken."""

    __slots__ = ("complete", "guessed", "role", "taken", "text")

    def __init__(self, role: Speaker) -> None:
        self.role: Speaker = role
        self.text = ""
        self.taken = ""
        self.guessed = False  # what was taken is said to be of this item, and may not be
        self.complete = False

    def take(self) -> Line | None:
        text, taken = self.text.strip(), self.taken
        if text == taken:
            return None
        rest = _rest(text, taken)
        if rest is None and not self.complete and _rest(taken, text) is not None:
            return None  # pieces of what was taken otherwise: the others are still to come
        self.taken = text
        if rest is None:
            return Line(self.role, text, corrects=self.complete and not self.guessed)
        return Line(self.role, rest) if rest else None


class Transcript:
    """Tell it what is said as it comes (`begin`, `add`, `complete`), and `take` what is new."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._characters = 0

    def begin(self, item_id: str, role: Speaker) -> None:
        """An item has its place from here on, whenever its words come."""
        self._entry(item_id, role)

    def add(self, item_id: str, role: Speaker, piece: str) -> None:
        """The next words of an item. Those that come after it was complete are in it already."""
        entry = self._entry(item_id, role)
        if not entry.complete:
            self._set(entry, entry.text + piece)

    def complete(self, item_id: str, role: Speaker, text: str) -> None:
        """All words of an item, whatever pieces came before: as a recogniser has them in the end, or as it was heard.

        It may come again, and the last one counts.
        """
        entry = self._entry(item_id, role)
        entry.complete = True
        self._set(entry, text)

    def told(self, item_id: str, role: Speaker, text: str) -> None:
        """The agent was told these words of an item in another way: they count as taken, if none of it was."""
        entry = self._entry(item_id, role)
        if not entry.taken and not entry.text.strip():
            entry.taken = text.strip()
            entry.guessed = True

    def take(self) -> tuple[Line, ...]:
        """What is new since the last time, in the order of the conversation."""
        lines = (entry.take() for entry in self._entries.values())
        return tuple(line for line in lines if line)

    def _entry(self, item_id: str, role: Speaker) -> _Entry:
        if item_id not in self._entries:
            self._entries[item_id] = _Entry(role)
            if len(self._entries) > MOST_ENTRIES:
                self._forget_oldest()
        return self._entries[item_id]

    def _set(self, entry: _Entry, text: str) -> None:
        text = text[:MOST_CHARACTERS]
        self._characters += len(text) - len(entry.text)
        entry.text = text
        while self._characters > MOST_CHARACTERS and len(self._entries) > 1:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = self._entries.pop(next(iter(self._entries)))
        self._characters -= len(oldest.text)


def _rest(text: str, taken: str) -> str | None:
    """What `text` has beyond `taken`; None if it doesn't begin so. Case, punctuation and spaces make no difference.

    A word that was taken half is given whole.
    """
    end = 0
    for wanted in _letters(taken):
        while end < len(text) and not text[end].isalnum():
            end += 1
        if end == len(text) or text[end].casefold() != wanted:
            return None
        end += 1
    if end and text[end : end + 1].isalnum() and _has_words(text[end - 1]):
        while end and text[end - 1].isalnum():
            end -= 1
    rest = text[end:]
    return rest.lstrip(" \t\r\n.,;:!?…") if any(map(str.isalnum, rest)) else ""


def _letters(text: str) -> list[str]:
    return [character.casefold() for character in text if character.isalnum()]


def _has_words(character: str) -> bool:
    """Whether its script sets words apart. (Chinese and Japanese don't.)"""
    return east_asian_width(character) not in "WF"
