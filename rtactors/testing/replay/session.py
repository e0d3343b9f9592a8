"""A session that nobody calls but a recording."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import anyio
from msgspec import Struct, ValidationError, convert

from rtactors.channels import InboxFull
from rtactors.errors import ConfigurationError
from rtactors.history import HistoryItem
from rtactors.limits import Backoff
from rtactors.pipeline import Pipeline
from rtactors.providers.base import Provider
from rtactors.recording import Recording, lines, read_recording
from rtactors.recording.notes import APP, DEVICE, REMINDERS
from rtactors.recording.plain import message_from
from rtactors.recording.reading import Recorded
from rtactors.recording.telling import sentence
from rtactors.session import Session
from rtactors.testing.clock import SteppedLoop, run_stepped
from rtactors.testing.replay.difference import Differs
from rtactors.testing.replay.gates import Gates
from rtactors.testing.replay.outside import (
    StandInAligner,
    StandInDevice,
    StandInJournal,
    StandInNetwork,
    StandInProvider,
)
from rtactors.testing.replay.turns import is_from_outside, turn_of
from statecharts.message import MESSAGE


class Moment(Struct, frozen=True):
    """How things stand once an event has happened."""

    recorded: Recorded
    lives: dict[tuple[str, str], str]
    """The state of everything that has moved, and of every message, by chart and id."""
    history: Callable[[], list[HistoryItem]]
    """The chat history, as it is when the turn is over that the event belongs to."""


def replay(
    recording: Recording | str | Path | BinaryIO,
    *,
    provider: Provider | None = None,
    pipeline: Pipeline = Pipeline(),  # noqa: B008 - immutable
    after: Callable[[Moment], None] = lambda _moment: None,
) -> list[HistoryItem]:
    """Let it happen again; gives the history at its end. `after` is called with each event, once it has happened.

    `provider` translates; it is needed if it is none that comes with rtactors. A `pipeline` that the session had is
    needed again: its stages run too, and do the same if that follows from what they are told. A replay has an event
    loop of its own, so that it can't be called within another. Raises Differs, or ConfigurationError for what can't be
    replayed.
    """
    if not isinstance(recording, Recording):
        recording = read_recording(recording)
    if pipeline.stages != recording.header.stages:
        raise ConfigurationError(_other_stages(recording, pipeline.stages))
    tape = Gates(recording)
    session = _Replayed(tape, provider or _provider_of(recording), pipeline)
    return run_stepped(lambda loop: session.follow(loop, after))


def _other_stages(recording: Recording, given: tuple[str, ...]) -> str:
    had, given_ = (", ".join(stages) or "no stages" for stages in (recording.header.stages, given))
    how = "rtactors.testing.replay.replay(file, pipeline=...) takes the Pipeline that the session had"
    return f"{recording.name} is of a session with {had} in its pipeline, and was to be replayed with {given_}: {how}"


def _provider_of(recording: Recording) -> Provider:
    from rtactors.providers import OpenAIRealtime, QuicksilverRealtime  # noqa: PLC0415 - only what is needed

    match recording.header.provider:
        case "openai":
            return OpenAIRealtime(api_key="")
        case "quicksilver":
            return QuicksilverRealtime(api_key="")
        case name:
            raise ConfigurationError(
                f"{recording.name} was recorded with the provider {name!r}, which does not come with rtactors: replay "
                "it by rtactors.testing.replay.replay(file, provider=...)"
            )


class _Replayed(Session):
    """A session that nobody calls but the recording."""

    def __init__(self, tape: Gates, provider: Provider, pipeline: Pipeline) -> None:
        self._tape = tape
        self._device = StandInDevice(tape)
        super().__init__(
            StandInProvider(tape, provider),
            sink=self._device,
            connect=StandInNetwork(tape).connect,
            reconnect=None if tape.header.reconnect is None else convert(tape.header.reconnect, Backoff),
            deadlines=tape.header.deadlines,
            bounds=tape.header.bounds,
            interruption=tape.header.interruption,
            aligner=StandInAligner(tape),
            cut_mark=tape.header.cut_mark,
            journal=StandInJournal(tape) if tape.header.journal else None,
            session_id=tape.header.session_id or None,
            recorder=tape,
            pipeline=pipeline,
        )
        self._resumes = tape.header.journal == "resumed"
        self._entering: anyio.CancelScope

    async def follow(self, loop: SteppedLoop, after: Callable[[Moment], None]) -> list[HistoryItem]:
        tape, lives = self._tape, dict[tuple[str, str], str]()
        stopped: BaseException | None = None
        loop.at(tape.header.at)
        tape.begin(tape.header)
        self._entering = anyio.CancelScope()
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._enter)
            await loop.settled()
            seen = 0
            while tape.next and not tape.difference:
                try:
                    await self._turn(loop, tape.next)
                    for recorded in tape.events[seen : tape.happened]:
                        _move(lives, recorded.event)
                        after(Moment(recorded, lives, lambda: self.history))
                except BaseException as error:  # noqa: BLE001 - it leaves as it is, without a group around it
                    stopped = error
                    break
                seen = tape.happened
            tape.let_all_cancel()
            self._entering.cancel()
            self._stop()
        if stopped:
            raise stopped
        if tape.difference:
            raise Differs(tape.difference)
        return self.history

    async def _enter(self) -> None:
        """Begin; what comes of a journal that can't be opened is the recording's to say."""
        with self._entering, suppress(Exception):
            if self._journal:
                await self._open_journal(self._journal)
            self._tasks.start_soon(self._actors.run)

    async def _turn(self, loop: SteppedLoop, event: lines.Event) -> None:
        """Let happen what comes next, and all that follows from it."""
        self._tape.begin_turn(event.at)
        loop.at(event.at)
        if is_from_outside(event):
            with suppress(Differs, InboxFull):  # the first is kept, the second is on record
                self._let(event)
        await loop.settled()
        while not self._tape.has_happened(event) and loop.ring():  # a timer of an actor's own
            await loop.settled()
        if not self._tape.has_happened(event) and not self._tape.difference:
            with suppress(Differs):
                self._tape.differ(event)

    def _let(self, event: lines.Event) -> None:
        match event:
            case lines.Cancelled():
                self._tape.let_cancel(turn_of(event))
                if event.who == APP:  # which gave up entering, or whose time was over
                    self._entering.cancel()
            case lines.Sent() if event.who == REMINDERS:
                self._tape.pending.ring(event)
            case lines.Sent():
                self._say(event)
            case lines.Published():
                self._tape.note(event)  # it leads to nothing here
            case lines.Over():
                self._stop()
            case _:
                self._tape.let(turn_of(event))

    def _say(self, event: lines.Sent) -> None:
        try:
            message = message_from(event.mail, event.to, self._tape.names)
            inbox = self._tape.inboxes[event.to]
        except (KeyError, TypeError, ValidationError) as error:
            what = f"event {event.n} can't be replayed: {sentence(event)}: {error}"
            raise ConfigurationError(what) from None
        if event.who == DEVICE:
            self._device.report(message)
        elif event.urgent:
            inbox.urgent(message)
        else:
            inbox.send(message)


def _move(lives: dict[tuple[str, str], str], event: lines.Event) -> None:
    match event:
        case lines.Published(event={"type": "Transition", "chart": str(chart), "id": str(id), "after": str(after)}):
            lives[chart, id] = after
        case lines.Published(event={"type": "MessageAnnounced", "message_id": str(id)}):
            lives[MESSAGE.name, id] = MESSAGE.initial
        case _:
            pass
