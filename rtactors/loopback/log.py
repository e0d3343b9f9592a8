"""Every event that a session sent and received, in order, for tests and for people to read."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

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

    def __str__(self) -> str:
        """When, which way, what; audio is left out, and the keys of tools."""
        fields = {key: value for key, value in self.json.items() if key not in {"type", "delta", "audio"}}
        shown = json.encode(_without_keys(fields)).decode()
        return f"{self.at:10.3f} {'->' if self.sent else '<-'} {self.type} {shown}"


def _without_keys(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """`authorization` and `headers`, as the tools of other servers have them, are not for people who read a log."""
    match value:
        case dict():
            fields = cast("Json", value)
            return {key: "***" if key in _KEYS and held else _without_keys(held) for key, held in fields.items()}
        case list():
            items = cast("list[Any]", value)
            return [_without_keys(item) for item in items]
        case _:
            return value


_KEYS = {"authorization", "headers"}


Listener: TypeAlias = Callable[[Record], None]
"""Is told every event as it passes."""


class Log:
    """The record of one session. It keeps audio too, about 3 MB a minute: switch it off (`keep`) for long runs."""

    def __init__(self, *, keep: bool, listener: Listener | None = None) -> None:
        self.records: list[Record] = []
        self._keep = keep
        self._listener = listener
        self._news = anyio.Event()

    def add(self, event: Any, event_type: str, *, sent: bool) -> None:  # noqa: ANN401 - see Record.event
        if not (self._keep or self._listener):
            return
        record = Record(anyio.current_time(), sent, event_type, event)
        if self._listener:
            self._listener(record)
        if self._keep:
            self.records.append(record)
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
        """A line for each event."""
        return "\n".join(map(str, self.records))
