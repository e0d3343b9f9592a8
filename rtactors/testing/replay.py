"""Replay: let happen again what was recorded, and see whether the same comes of it (I12).

    replay("call.jsonl")      # raises Differs where it does not

The real actors run, all of them, each in its own task. The recording plays what is outside of them: the network, the
audio device, what the app and the session ask for, the reminders, the clock; and it says whose turn it is. What the
actors then do (send, publish, ask to be reminded of, tell the device) has to be the same, event by event, and so has
the history.

What it can't tell: why the app called, a device reported or a frame came just then, since these are what is given. A
moment that an actor looks up is known as exactly as its turn was short: to the bit in virtual time, otherwise it may
lie anywhere between the turns around it.
"""

import base64
import sys
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, Self, TypeVar, cast

import anyio
from msgspec import Raw, Struct, ValidationError, convert, json
from msgspec.structs import replace

from rtactors.channels import Inbox, InboxFull
from rtactors.errors import ConfigurationError
from rtactors.history import HistoryItem
from rtactors.limits import Backoff
from rtactors.providers.base import Capabilities, Endpoint, Frame, Provider
from rtactors.recording import Recording, lines, read_recording
from rtactors.recording.leave_out import AUDIO, alike, filled_in
from rtactors.recording.notes import APP, DEVICE, REMINDERS, who
from rtactors.recording.plain import error_of, message_from
from rtactors.recording.reading import Recorded
from rtactors.recording.tap import Tap
from rtactors.recording.tapped import TappedEvent, TappedInbox, TappedReminders
from rtactors.recording.telling import sentence
from rtactors.reminders import Reminder
from rtactors.ring import Run
from rtactors.session import Session
from rtactors.sinks.base import Report
from rtactors.testing.clock import SteppedLoop, run_stepped
from rtactors.transports import base as transports
from statecharts.message import MESSAGE

T = TypeVar("T")

_LONGEST, _BEFORE = 200, 40
"""Characters of what is told of a difference, and how many of them stand before it."""
_AT_ONCE_S = 0.001
"""So soon an actor goes on in real time with what it is doing; in virtual time that takes none."""


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
    after: Callable[[Moment], None] = lambda _moment: None,
) -> list[HistoryItem]:
    """Let it happen again; gives the history at its end. `after` is called with each event, once it has happened.

    `provider` translates; it is needed if it is none that comes with rtactors. A replay has an event loop of its own,
    so that it can't be called within another. Raises Differs, or ConfigurationError for what can't be replayed.
    """
    if not isinstance(recording, Recording):
        recording = read_recording(recording)
    tape = _Tape(recording)
    session = _Replayed(tape, provider or _provider_of(recording))
    return run_stepped(lambda loop: session.follow(loop, after))


def _provider_of(recording: Recording) -> Provider:
    if recording.header.provider != "openai":
        raise ConfigurationError(
            f"{recording.name} was recorded with the provider {recording.header.provider!r}, which does not come with "
            "rtactors: replay it by rtactors.testing.replay.replay(file, provider=...)"
        )
    from rtactors.providers.openai import OpenAIRealtime  # noqa: PLC0415 - only what is needed

    return OpenAIRealtime(api_key="")


# ---------------------------------------------------------------------------------------------------- what happens next


class _Tape(Tap):
    """Knows what happens next; who depends on that waits for its turn. What happens is compared.

    What an actor does has to come in the order of that actor's events. It may come before those of others that stand
    ahead of it: a task takes some passes of the event loop to notice that what it waited for has ended.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__(audio=recording.audio)
        self.header = recording.header
        self.events = [each for each in recording.events if not isinstance(each.event, lines.Incomplete)]
        self.happened = 0
        """How many of them have, without a gap."""
        self.difference: Difference | None = None
        self.inboxes: dict[str, Inbox[Any]] = {}
        self.pending = _Reminders(self)
        self._to_come: defaultdict[str, deque[Recorded]] = defaultdict(deque)
        for recorded in self.events:
            self._to_come[recorded.event.who].append(recorded)
        self._done: set[int] = set()
        self._complete = bool(self.events) and isinstance(self.events[-1].event, lines.Over)
        self._waiting: dict[object, deque[tuple[anyio.Event, anyio.CancelScope]]] = {}
        self._let: Counter[object] = Counter()
        self._turns: list[float] = []
        self._until = 0.0
        self._over = False
        self._exact = not any(map(_takes_time, recording.events, recording.events[1:]))

    @property
    def next(self) -> lines.Event | None:
        """What happens next; None at the end."""
        return self.events[self.happened].event if self.happened < len(self.events) else None

    @property
    def mine(self) -> lines.Event | None:
        """What whoever asks does next."""
        to_come = self._to_come[who.get()]
        return to_come[0].event if to_come else None

    def has_happened(self, event: lines.Event) -> bool:
        return event.n <= self.happened or event.n in self._done

    # -- whose turn it is

    def begin_turn(self, at: float) -> None:
        self._turns.append(at)

    async def turn(self, what: object) -> None:
        """Wait until it is time for this; only the recording knows whether it was cancelled before."""
        if self._let[what]:
            self._let[what] -= 1
            return
        waiting, now = self._waiting.setdefault(what, deque()), anyio.Event()
        with anyio.CancelScope(shield=not self._over) as scope:
            waiting.append((now, scope))
            await now.wait()

    def let(self, what: object) -> None:
        """It is time for this."""
        if waiting := self._waiting.get(what):
            waiting.popleft()[0].set()
        else:
            self._let[what] += 1

    def let_cancel(self, what: object) -> None:
        """It was cancelled."""
        if waiting := self._waiting.get(what):
            waiting.popleft()[1].shield = False

    def let_all_cancel(self) -> None:
        """There is nothing more to come, and nothing more to compare."""
        self._over, self._listening = True, False
        for what, waiting in self._waiting.items():
            while waiting:
                self.let_cancel(what)

    # -- what a session is given

    def inbox(self, name: str, capacity: int) -> Inbox[Any]:
        inbox: Inbox[Any] = _Inbox(self, name, capacity)
        self.inboxes[name] = inbox
        return inbox

    def reminders(self) -> "_Reminders":
        return self.pending

    def event(self) -> anyio.Event:
        return _Event(self)

    async def may_begin(self, task: int) -> None:
        await self.turn(("begin", task))

    def _seen(self, what: str, look: Callable[[], float]) -> Callable[[], float]:
        def recorded() -> float:
            return self.mine.value if isinstance(self.mine, lines.Seen) else look()

        return super()._seen(what, recorded)

    def running(self, name: str, run: Run) -> Run:
        tapped = super().running(name, run)

        async def contained() -> None:
            with suppress(Exception):  # it was noted; that the session ends with it is the recording's to say
                await tapped()

        return contained

    # -- comparing

    def note(self, event: lines.Event) -> int:
        to_come = self._to_come[event.who]
        if self.difference:
            return 0
        if not to_come:
            if self._complete:  # else it may just not be in there any more
                self.differ(self.next or self.events[-1].event, event)
            return 0
        recorded = to_come[0]
        self._until = recorded.event.at
        line = json.encode(replace(event, n=recorded.event.n))
        if line != recorded.line and (found := self._first_difference(json.decode(recorded.line), json.decode(line))):
            self.differ(recorded.event, event, *found)
        to_come.popleft()
        self._done.add(recorded.event.n)
        while self.happened + 1 in self._done:
            self.happened += 1
            self._done.remove(self.happened)
        return recorded.event.n

    def differ(
        self,
        expected: lines.Event,
        got: lines.Event | None,
        field: str = "",
        *values: Any,  # noqa: ANN401 - JSON
    ) -> NoReturn:
        """Raises Differs; the first difference counts."""
        if got and field not in _WHAT_IT_IS:
            was, came = _apart(*(json.encode(each).decode() for each in values))
        else:
            field, was = "", f"{expected.who} {sentence(expected)}"
            came = f"{got.who} {sentence(got)}" if got else "nothing happens"
            if error := sys.exception():
                came += f" (because of {type(error).__name__}: {error})"
        self.difference = Difference(expected.n, expected.who, field, was, came)
        raise Differs(self.difference)

    def _first_difference(self, expected: Any, got: Any, path: str = "") -> tuple[str, Any, Any] | None:  # noqa: ANN401 - JSON
        match expected, got:
            case dict(), dict():
                both = cast("tuple[dict[str, Any], dict[str, Any]]", (expected, got))
                # What something is tells more than what is in it; and when it was is told by its place.
                names = sorted({**both[0], **both[1]}, key=lambda name: name not in _FIRST)
                parts = [
                    (f"{path}.{name}" if path else name, both[0].get(name), both[1].get(name))
                    for name in names
                    if path or name != "at"
                ]
            case list(), list() if len(cast("list[Any]", expected)) == len(cast("list[Any]", got)):
                pairs = zip(cast("list[Any]", expected), cast("list[Any]", got), strict=True)
                parts = [(f"{path}[{index}]", was, came) for index, (was, came) in enumerate(pairs)]
            case _:
                same = expected == got or (_is_time(path) and self._same_moment(expected, got))
                return None if same else (path, expected, got)
        return next(filter(None, (self._first_difference(was, came, where) for where, was, came in parts)), None)

    def _same_moment(self, recorded: Any, replayed: Any) -> bool:  # noqa: ANN401 - JSON
        """Whether it lies between the turns around the one in which it was looked up."""
        if self._exact or not (isinstance(recorded, float) and isinstance(replayed, float)):
            return False
        turn = bisect_left(self._turns, replayed)
        if self._turns[turn : turn + 1] != [replayed]:
            return False
        begin = self._turns[turn - 1] if turn else self.header.at
        end = self._turns[turn + 1] if turn + 1 < len(self._turns) else self._until
        return begin <= recorded <= end


_FIRST = ("kind", "who", "to", "type", "call")
_WHAT_IT_IS = ("kind", "who", "to", "mail.type", "event.type", "call")
"""If one of these is another, then it is another event altogether."""


def _apart(was: str, came: str) -> list[str]:
    """Two long texts from shortly before they differ."""
    same = alike(was, came)
    if max(len(was), len(came)) > _LONGEST and same > _BEFORE:
        was, came = (f"...{each[same - _BEFORE :]}" for each in (was, came))
    return [each if len(each) <= _LONGEST else f"{each[:_LONGEST]}..." for each in (was, came)]


def _is_time(path: str) -> bool:
    name = path.rpartition(".")[2]
    return name == "at" or name.endswith("_at")


def _turn_of(event: lines.Event) -> object:
    """What it lets happen; None if nobody waits for its turn with it."""
    match event:
        case lines.Taken() | lines.Cancelled(call="take"):
            return "take", event.who
        case lines.Begun():
            return "begin", event.task
        case lines.Awaited() | lines.Cancelled(call="wait"):
            return "wait", event.wait
        case lines.Device(call="stopped") | lines.Cancelled(call="play"):
            return "play"
        case lines.Socket() | lines.Cancelled():
            return event.call, event.socket
        case _:
            return None


def _is_from_outside(event: lines.Event) -> bool:
    """Whether it is given, instead of following from what was before."""
    match event:
        case lines.Sent():
            return event.who in {APP, DEVICE, REMINDERS}
        case lines.Over():
            return True
        case _:
            return _turn_of(event) is not None


def _takes_time(before: Recorded, after: Recorded) -> bool:
    one, other = before.event, after.event
    return one.who == other.who and not _is_from_outside(other) and 0 < other.at - one.at < _AT_ONCE_S


# ------------------------------------------------------------------------------------- what the session is made with


class _Inbox(TappedInbox[T]):
    """Something is taken from it when it was."""

    __slots__ = ("_tape",)

    def __init__(self, tape: _Tape, name: str, capacity: int) -> None:
        super().__init__(tape, name, capacity)
        self._tape = tape

    @property
    def is_shut(self) -> bool:
        """An actor may have ended earlier than it did among the others."""
        mine = self._tape.mine
        return self.closed and (mine is None or self.closed_as < mine.n)

    async def take(self) -> T:
        await self._tape.turn(("take", self.name))
        if self.empty and self._tape.mine:
            self._tape.differ(self._tape.mine, None)
        return await super().take()


class _Event(TappedEvent):
    """Whoever waits for it goes on when they did."""

    def __new__(cls, tape: _Tape) -> Self:
        return super().__new__(cls, tape)

    def __init__(self, tape: _Tape) -> None:
        super().__init__(tape)
        self._tape = tape

    async def come(self) -> None:
        await self._tape.turn(("wait", self._tape.names.of(self)))
        if not self.is_set() and self._tape.mine:
            self._tape.differ(self._tape.mine, None)


class _Reminders(TappedReminders):
    """They ring when they did."""

    def __init__(self, tape: _Tape) -> None:
        super().__init__(tape)
        self._tape = tape
        self._asked: dict[bytes, list[Reminder]] = {}

    def add(self, inbox: Inbox[T], seconds: float, message: T) -> Reminder:
        reminder = super().add(inbox, seconds, message)
        self._asked.setdefault(_key(inbox.name, self._tape.plain(message)), []).append(reminder)
        return reminder

    async def run(self) -> None:
        """Nothing rings by itself."""

    def ring(self, event: lines.Sent) -> None:
        """The first of those that would say this, and were not cancelled."""
        asked = self._asked.get(_key(event.to, event.mail), [])
        before = who.set(REMINDERS)
        try:
            while asked and not self._tape.has_happened(event):
                asked.pop(0).ring()
        finally:
            who.reset(before)


def _key(to: str, mail: lines.Plain) -> bytes:
    return json.encode([to, mail], order="sorted")


class _Provider:
    """Translates; what the app has decided it has from the recording."""

    def __init__(self, tape: _Tape, provider: Provider) -> None:
        self._tape = tape
        self.decode = provider.decode
        self.encode = provider.encode

    @property
    def name(self) -> str:
        return self._tape.header.provider

    @property
    def capabilities(self) -> Capabilities:
        return self._tape.header.capabilities

    def endpoint(self) -> Endpoint:
        return Endpoint(url=self._asked("endpoint").url)

    def configure(self) -> Sequence[Frame]:
        asked = self._asked("configure")
        return tuple(_frame(frame, binary=asked.binary) for frame in asked.frames)

    def _asked(self, call: Literal["endpoint", "configure"]) -> lines.Provider:
        match self._tape.mine:
            case lines.Provider() as asked if asked.call == call:
                if asked.error:
                    raise error_of(asked.error)
                return asked
            case _:
                return lines.Provider(0, 0, "", call)


class _Network:
    """Brings and takes frames as it did."""

    def __init__(self, tape: _Tape) -> None:
        self._tape = tape
        self._count = 0

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[transports.Socket]:
        self._count += 1
        socket = _Socket(self._tape, self._count)
        await socket.outcome("connect")
        try:
            yield socket
        finally:
            await socket.outcome("leave")


class _Socket:
    def __init__(self, tape: _Tape, number: int) -> None:
        self._tape = tape
        self._number = number

    async def send(self, frame: Frame) -> None:  # noqa: ARG002 - the tap compares it
        await self.outcome("send")

    async def receive(self) -> Frame:
        received = await self.outcome("receive")
        return _frame(cast("Raw", received.frame), binary=received.binary)

    async def close(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002 - the tap compares it
        await self.outcome("close")

    async def outcome(self, call: str) -> lines.Socket:
        await self._tape.turn((call, self._number))
        event = self._tape.mine
        assert isinstance(event, lines.Socket)
        if event.error:
            raise error_of(event.error)
        return event


def _frame(raw: Raw, *, binary: bool) -> Frame:
    """As the socket had it, with silence for audio that was left out."""
    data = bytes(raw)
    match json.decode(data):
        case str(text):
            pass
        case {"$base64": str(encoded)}:
            return base64.b64decode(encoded)
        case {"$audio": {"bytes": int(count)}}:
            return bytes(count)
        case tree:
            text = json.encode(filled_in(tree)).decode() if AUDIO.encode() in data else data.decode()
    return text.encode() if binary else text


class _Device:
    """Says what it said."""

    def __init__(self, tape: _Tape) -> None:
        self._tape = tape
        self.report: Callable[[Report], None] = lambda _report: None

    @property
    def rate(self) -> int:
        return self._tape.header.capabilities.output_rate

    def begin(self, message_id: str) -> None:
        self._outcome("begin", message_id)

    def write(self, message_id: str, pcm: bytes) -> None:  # noqa: ARG002 - the tap compares it
        self._outcome("write", message_id)

    def finish(self, message_id: str) -> None:
        self._outcome("finish", message_id)

    def clear(self, message_id: str) -> None:
        self._outcome("clear", message_id)

    def pause(self, message_id: str) -> None:
        self._outcome("pause", message_id)

    def resume(self, message_id: str) -> None:
        self._outcome("resume", message_id)

    async def run(self, report: Callable[[Report], None]) -> None:
        self.report = report
        await self._tape.turn("play")
        self._outcome("stopped", "")

    def _outcome(self, call: str, message_id: str) -> None:
        match self._tape.mine:
            case lines.Device(error=lines.Failure() as failure) as event if event.call == call:
                if event.message_id == message_id:
                    raise error_of(failure)
            case _:
                pass


# -------------------------------------------------------------------------------------------------------- the session


class _Replayed(Session):
    """A session that nobody calls but the recording."""

    def __init__(self, tape: _Tape, provider: Provider) -> None:
        self._tape = tape
        self._device = _Device(tape)
        super().__init__(
            _Provider(tape, provider),
            sink=self._device,
            connect=_Network(tape).connect,
            reconnect=None if tape.header.reconnect is None else convert(tape.header.reconnect, Backoff),
            deadlines=tape.header.deadlines,
            bounds=tape.header.bounds,
            recorder=tape,
        )

    async def follow(self, loop: SteppedLoop, after: Callable[[Moment], None]) -> list[HistoryItem]:
        tape, lives = self._tape, dict[tuple[str, str], str]()
        stopped: BaseException | None = None
        loop.at(tape.header.at)
        tape.begin(tape.header)
        async with anyio.create_task_group() as self._tasks:
            self._start_all()
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
            self._stop()
        if stopped:
            raise stopped
        if tape.difference:
            raise Differs(tape.difference)
        return self.history

    async def _turn(self, loop: SteppedLoop, event: lines.Event) -> None:
        """Let happen what comes next, and all that follows from it."""
        self._tape.begin_turn(event.at)
        loop.at(event.at)
        if _is_from_outside(event):
            with suppress(Differs, InboxFull):  # the first is kept, the second is on record
                self._let(event)
        await loop.settled()
        while not self._tape.has_happened(event) and loop.ring():  # a timer of an actor's own
            await loop.settled()
        if not self._tape.has_happened(event) and not self._tape.difference:
            with suppress(Differs):
                self._tape.differ(event, None)

    def _let(self, event: lines.Event) -> None:
        match event:
            case lines.Cancelled():
                self._tape.let_cancel(_turn_of(event))
            case lines.Sent() if event.who == REMINDERS:
                self._tape.pending.ring(event)
            case lines.Sent():
                self._say(event)
            case lines.Over():
                self._stop()
            case _:
                self._tape.let(_turn_of(event))

    def _say(self, event: lines.Sent) -> None:
        try:
            message = message_from(event.mail, event.to.partition(" ")[0], self._tape.names)
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
