"""What happened in a conversation, a line for each event, time first: for people who look for a fault."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from rtactors.loopback.session import Session as ServerSession
from rtactors.session_events import MessageText, SessionEvent, Transition
from rtactors.sinks.base import Progress
from rtactors.testing.ears import Segment

_AUDIO = {"response.output_audio.delta", "input_audio_buffer.append"}
_LONGEST = 200
"""Characters of an event of the wire."""
_SETUP = {"session.created", "session.update", "session.updated", "rate_limits.updated"}


class Story(Struct, frozen=True):
    """Sorted by time; within one moment first the wire, then what the session did, then the device."""

    events: tuple[SessionEvent, ...]
    connections: Sequence[ServerSession]
    segments: tuple[Segment, ...]

    def lines(self) -> list[str]:
        numbered = sorted((at, rank, number, text) for number, (at, rank, text) in enumerate(self._all()))
        return [f"{at:9.3f}  {text}" for at, _, _, text in numbered]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _all(self) -> Iterator[tuple[float, int, str]]:
        for number, connection in enumerate(self.connections):
            for at, rank, text in _wire(connection):
                yield at, rank, text if number == 0 else f"({number + 1}) {text}"
        yield from _session(self.events)
        for segment in self.segments:
            yield from _device(segment)


def _wire(connection: ServerSession) -> Iterator[tuple[float, int, str]]:
    audio: dict[str, list[float]] = {}
    for record in connection.log.records:
        if record.type in _SETUP:
            continue
        if record.type in _AUDIO:  # the first of many stands for all
            item_id = record.json.get("item_id", "")
            if item_id in audio and record.sent:
                continue
            audio[item_id] = []
        text = str(record)[11:]
        yield record.at, 0, f"wire     {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"


def _session(events: Sequence[SessionEvent]) -> Iterator[tuple[float, int, str]]:
    at = 0.0
    for event in events:
        at = max(at, getattr(event, "at", at))
        if isinstance(event, Transition):
            effects = ", ".join(map(str, event.effects))
            text = f"{event.chart} {event.id}: {event.before} -> {event.after} by {event.event}"
            yield at, 1, f"session  {text}{' / ' if effects else ''}{effects}"
        elif not isinstance(event, MessageText):
            yield at, 1, f"session  {event}"


def _device(segment: Segment) -> Iterator[tuple[float, int, str]]:
    name = segment.message_id
    yield segment.began_at, 2, f"device   {name} begins"
    if segment.finish_at is not None:
        yield segment.finish_at, 2, f"device   {name} is to play out ({segment.written_frames} frames)"
    if segment.cleared_at is not None:
        yield segment.cleared_at, 2, f"device   {name} is to stop"
    for at, report in segment.told:
        if not isinstance(report, Progress):
            yield at, 2, f"device   tells {report}"
