"""What happens in a session as lines of JSON, for programs: each is one of `rtactors.session_events`, told by `type`."""

from typing import TextIO

from msgspec import json

from rtactors.session_events import SessionEvent


def print_json(stream: TextIO, value: object) -> None:
    """One line, at once."""
    stream.write(json.encode(value).decode() + "\n")
    stream.flush()


class JsonLines:
    """A view of a session that is a stream of such lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, event: SessionEvent) -> None:
        print_json(self._stream, event)

    async def run(self) -> None:
        """Nothing moves but by events."""

    def close(self) -> None:
        pass
