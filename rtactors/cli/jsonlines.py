"""What happens in a session as lines of JSON: each is one of `rtactors.session_events`, told by its `type`."""

from typing import TextIO

from msgspec import Struct, json

from rtactors.history import HistoryItem
from rtactors.session_events import SessionEvent


class History(Struct, frozen=True, tag=True):
    """The last line of a conversation: all of it, as it was heard."""

    items: list[HistoryItem]


class JsonLines:
    """A view of a session that is a stream of such lines, each written at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, event: SessionEvent) -> None:
        self.print(event)

    def history(self, history: list[HistoryItem]) -> None:
        self.print(History(history))

    def print(self, value: Struct) -> None:
        self._stream.write(json.encode(value).decode() + "\n")
        self._stream.flush()

    def position(self) -> None:
        """Nothing to say: what was heard comes with the events."""

    def typed(self, line: str) -> None:
        """Nothing to say: what it leads to comes with the events."""

    def waiting(self) -> None:
        """Nothing to say: no event comes."""
