"""What is seen of a conversation while it runs: every message, its state, its words, and how much of it was heard.

Fed by two sources that know nothing of each other: the session's events, and the sink's reports, which `Witness` takes
on their way. So how much was heard is known here without the session's ledger.
"""

from collections.abc import Callable
from typing import Literal

import anyio
from msgspec import Struct

from rtactors import Session
from rtactors.session_events import (
    Caption,
    CaptionsEnded,
    MessageAnnounced,
    MessageText,
    Problem,
    SessionEvent,
    Transition,
    UserSaid,
    UserStartedSpeaking,
)
from rtactors.sinks import base as sinks
from statecharts.item import SendDelete, SendTruncate
from statecharts.response import InterruptMessages


class Operation(Struct, frozen=True, kw_only=True):
    """What the server was told to do to a message, `at` seconds of the session's clock."""

    kind: Literal["truncate", "delete"]
    at: float
    audio_end_ms: int | None = None


class SeenMessage(Struct, kw_only=True):
    """One message; all times are seconds of the session's clock."""

    id: str
    number: int
    response_id: str = ""
    announced_at: float = 0.0
    state: str = "pending"
    text: str = ""
    """As generated so far."""
    captions: list[Caption] = []
    """Of the words whose beginning was heard; once it is over, of those that were heard to their ends."""
    captions_over: bool = False
    frames: int = 0
    """How many have left the sink."""
    started_at: float | None = None
    stopped_at: float | None = None
    operations: list[Operation] = []

    @property
    def over(self) -> bool:
        return self.state in {"full", "partial", "skipped"}

    def spoken(self, rate: int) -> tuple[str, str]:
        """Its words that were heard to their ends, and the one that is being heard; `rate` is the sink's, in Hz."""
        words = [caption.text for caption in self.captions]
        if not words or self.captions_over or self.captions[-1].end_ms * rate <= self.frames * 1000:
            return "".join(words), ""
        return "".join(words[:-1]), words[-1]


class Seen:
    """All that was seen so far."""

    def __init__(self) -> None:
        self.messages: dict[str, SeenMessage] = {}
        """In the order in which they were announced."""
        self.speech_started: list[float] = []
        self.transcripts: list[str] = []
        self.interrupted: list[float] = []
        self.problems: list[str] = []
        self._changed = anyio.Event()

    @property
    def in_order(self) -> list[SeenMessage]:
        return list(self.messages.values())

    async def until(self, condition: Callable[[list[SeenMessage]], bool]) -> None:
        """Wait for something to become true of the messages."""
        while not condition(self.in_order):
            await self._changed.wait()

    def event(self, event: SessionEvent) -> None:
        """What the session says."""
        match event:
            case MessageAnnounced():
                message = self._message(event.message_id)
                message.response_id, message.announced_at = event.response_id, event.at
            case MessageText():
                self._message(event.message_id).text += event.text
            case Caption():
                self._message(event.message_id).captions.append(event)
            case CaptionsEnded():
                message = self._message(event.message_id)
                message.captions, message.captions_over = list(event.words), True
            case Transition():
                self._transition(event)
            case UserStartedSpeaking():
                self.speech_started.append(event.at)
            case UserSaid():
                self.transcripts.append(event.text)
            case Problem():
                self.problems.append(event.message)
            case _:
                pass
        self._notify()

    def report(self, report: sinks.Report) -> None:
        """What the sink says."""
        if isinstance(report, sinks.Lost):
            return
        message = self._message(report.message_id)
        match report:
            case sinks.Started():
                message.started_at = report.at
            case sinks.Finished():
                message.frames, message.stopped_at = report.frames, report.at
            case sinks.Resumed():
                pass
            case _:
                message.frames = report.frames
        self._notify()

    def _message(self, message_id: str) -> SeenMessage:
        """The sink may be quicker to tell of a message than the session's events are read."""
        return self.messages.setdefault(message_id, SeenMessage(id=message_id, number=len(self.messages) + 1))

    def _transition(self, transition: Transition) -> None:
        if message := self.messages.get(transition.id):
            if transition.chart == "message":
                message.state = transition.after
            for effect in transition.effects:
                if isinstance(effect, SendTruncate):
                    operation = Operation(kind="truncate", at=transition.at, audio_end_ms=effect.audio_end_ms)
                    message.operations.append(operation)
                elif isinstance(effect, SendDelete):
                    message.operations.append(Operation(kind="delete", at=transition.at))
        elif any(isinstance(effect, InterruptMessages) for effect in transition.effects):
            self.interrupted.append(transition.at)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Witness:
    """A sink that lets another one play; `seen` takes what it reports on the way, and then `moved` is called."""

    def __init__(self, sink: sinks.Sink, seen: Seen, moved: Callable[[], None] = lambda: None) -> None:
        self._sink = sink
        self._seen = seen
        self._moved = moved
        self.rate = sink.rate
        self.begin = sink.begin
        self.write = sink.write
        self.finish = sink.finish
        self.clear = sink.clear
        self.pause = sink.pause
        self.resume = sink.resume

    async def run(self, report: Callable[[sinks.Report], None]) -> None:
        """As the other one; raises what it raises."""

        def tell(told: sinks.Report) -> None:
            self._seen.report(told)
            self._moved()
            report(told)

        await self._sink.run(tell)


async def watch(session: Session, seen: Seen, show: Callable[[SessionEvent], None]) -> None:
    """Let `seen`, and then `show`, take all that happens from now to the end of the session."""
    async for event in session.events():
        seen.event(event)
        show(event)
