"""Every event that a session sent and received, in order, for tests and for people to read."""

from typing import Any

import anyio
from msgspec import Struct, json, to_builtins

from rtactors.loopback.faults import Json


class Record(Struct, frozen=True):
    at: float
    """Seconds of `anyio.current_time()`."""
    sent: bool
    """True for what the server sent, False for what it received."""
    type: str
    """"" for a frame that is not an event."""
    event: Any
    """A type of the wire, the JSON of an event that a fault altered, or the frame if it could not be read."""

    @property
    def json(self) -> Json:
        """The event as it stands on the wire; audio is base64."""
        return to_builtins(self.event)


class Log:
    """The record of one session. It keeps audio too, about 3 MB a minute: switch it off (`keep`) for long runs."""

    def __init__(self, *, keep: bool) -> None:
        self.records: list[Record] = []
        self._keep = keep
        self._news = anyio.Event()

    def add(self, event: Any, event_type: str, *, sent: bool) -> None:  # noqa: ANN401 - see Record.event
        if not self._keep:
            return
        self.records.append(Record(anyio.current_time(), sent, event_type, event))
        self._news.set()
        self._news = anyio.Event()

    @property
    def sent(self) -> list[Record]:
        return [record for record in self.records if record.sent]

    @property
    def received(self) -> list[Record]:
        return [record for record in self.records if not record.sent]

    def find(self, event_type: str) -> list[Record]:
        return [record for record in self.records if record.type == event_type]

    async def wait(self, event_type: str, count: int = 1) -> Record:
        """Until so many events of this type were sent or received; gives the last of them."""
        while len(found := self.find(event_type)) < count:
            await self._news.wait()
        return found[count - 1]

    def __str__(self) -> str:
        """A line for each event: when, which way, what; audio is left out."""
        return "\n".join(map(_line, self.records))


def _line(record: Record) -> str:
    fields = {key: value for key, value in record.json.items() if key not in {"type", "delta", "audio"}}
    return f"{record.at:10.3f} {'->' if record.sent else '<-'} {record.type} {json.encode(fields).decode()}"
