"""What a session is given instead, when somebody listens: the same things, which also tell what passes through them.

What an actor does is told when it does it, what the world outside does when it is done, or when it is no longer waited
for; so what was told can happen again in that order.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import takewhile
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import anyio
from anyio import get_cancelled_exc_class
from msgspec.structs import replace

from rtactors.alignment.base import Aligner, Alignment, Covered, Word
from rtactors.channels import Inbox, InboxFull
from rtactors.errors import ConfigurationError
from rtactors.events import Setup
from rtactors.journal.base import Journal
from rtactors.journal.records import Damage, decode
from rtactors.providers.base import Capabilities, Endpoint, Frame, Provider
from rtactors.recording import lines
from rtactors.recording.notes import DEVICE, REMINDERS, Notes, who
from rtactors.reminders import Reminder, Reminders
from rtactors.sinks.base import Report, Sink
from rtactors.transports import base as transports

T = TypeVar("T")


class TappedInbox(Inbox[T]):
    """Tells what is put into it, and what is taken."""

    __slots__ = ("_notes", "_sent_numbers", "_urgent_numbers", "closed_as")

    def __init__(self, notes: Notes, name: str, capacity: int) -> None:
        super().__init__(name, capacity)
        self._notes = notes
        self._sent_numbers: deque[int] = deque()
        self._urgent_numbers: deque[int] = deque()
        self.closed_as = 0
        """The number of the event by which it was closed."""

    async def receive(self) -> T:
        try:
            message = await self.take()
        except get_cancelled_exc_class():
            self._notes.tell(lines.Cancelled, call="take")
            raise
        numbers = self._urgent_numbers if self.was_urgent else self._sent_numbers
        self._notes.tell(lines.Taken, sent=numbers.popleft())
        return message

    def hand(self, message: T) -> None:
        """A recording has each as taken from the inbox, in a turn of its actor's."""
        self.send(message)

    @property
    def is_shut(self) -> bool:
        """Whether it was closed before what happens now."""
        return self.closed

    async def take(self) -> T:
        """The next message, without a word."""
        return await super().receive()

    def close(self) -> None:
        if not self.closed:
            self.closed_as = self._notes.tell(lines.Closed, inbox=self.name)
        super().close()
        self._sent_numbers.clear()
        self._urgent_numbers.clear()

    def _add(self, lane: list[T], message: T) -> None:
        urgent, lost = lane is self._urgent, "closed" if self.is_shut else ""
        try:
            super()._add(lane, message)
        except InboxFull:
            lost = "full"
            raise
        finally:
            told = self._notes.plain(message)
            number = self._notes.tell(lines.Sent, to=self.name, mail=told, urgent=urgent, lost=lost)
            if not lost:
                (self._urgent_numbers if urgent else self._sent_numbers).append(number)


class TappedEvent(anyio.Event):
    """Tells when an actor that waited for it goes on."""

    def __new__(cls, notes: Notes) -> Self:  # noqa: ARG004 - as `__init__`
        return object.__new__(cls)  # not one of the event loop's, which is inside

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._event = anyio.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def statistics(self) -> anyio.EventStatistics:
        return self._event.statistics()

    async def wait(self) -> None:
        name = self._notes.names.of(self)
        try:
            await self.come()
        except get_cancelled_exc_class():
            self._notes.tell(lines.Cancelled, call="wait", wait=name)
            raise
        self._notes.tell(lines.Awaited, wait=name)

    async def come(self) -> None:
        """Wait, without a word."""
        await self._event.wait()


class TappedReminders(Reminders):
    """Tells what actors ask to be told later."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes

    def add(self, inbox: Inbox[T], seconds: float, message: T) -> Reminder:
        told = self._notes.plain(message)
        self._notes.tell(lines.Reminder, to=inbox.name, seconds=seconds, mail=told)
        return super().add(inbox, seconds, message)

    async def run(self) -> None:
        who.set(REMINDERS)
        await super().run()


class TappedProvider:
    """Tells what the app has decided. What is translated follows from frames and commands."""

    def __init__(self, notes: Notes, provider: Provider) -> None:
        self._notes = notes
        self._provider = provider
        self.decode = provider.decode
        self.encode = provider.encode

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def capabilities(self) -> Capabilities:
        return self._provider.capabilities

    def endpoint(self) -> Endpoint:
        try:
            endpoint = self._provider.endpoint()
        except Exception as error:
            self._notes.tell(lines.Provider, call="endpoint", error=self._notes.failure(error))
            raise
        self._notes.leave_out.learn(endpoint)
        url = urlsplit(endpoint.url)
        where = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        self._notes.tell(lines.Provider, call="endpoint", url=where)
        return endpoint

    def configure(self, setup: Setup) -> Sequence[Frame]:
        return self._frames("configure", self._provider.configure(setup))

    def update(self, setup: Setup, operation_id: str) -> Sequence[Frame]:
        return self._frames("update", self._provider.update(setup, operation_id))

    def _frames(self, call: Literal["configure", "update"], frames: Sequence[Frame]) -> Sequence[Frame]:
        told = tuple(self._notes.leave_out.from_frame(frame, incoming=True) for frame in frames)
        binary = any(isinstance(frame, bytes) for frame in frames)
        self._notes.tell(lines.Provider, call=call, frames=told, binary=binary)
        return frames


def tapped_connect(notes: Notes, connect: transports.Connect) -> transports.Connect:
    """Tells of each connection; they are numbered as they are tried."""
    count = 0

    @asynccontextmanager
    async def connected(endpoint: Endpoint) -> AsyncGenerator[transports.Socket]:
        nonlocal count
        count += 1
        number, opened = count, False

        def left() -> None:
            if opened:
                notes.tell(lines.Socket, socket=number, call="leave")

        async with AsyncExitStack() as stack:
            stack.callback(left)  # once it is
            with _telling(notes, lines.Socket, {"socket": number}, "connect"):
                socket = await stack.enter_async_context(connect(endpoint))
            notes.tell(lines.Socket, socket=number, call="connect")
            opened = True
            yield TappedSocket(notes, number, socket)

    return connected


class TappedSocket:
    """Tells what has passed, and why nothing more does."""

    def __init__(self, notes: Notes, number: int, socket: transports.Socket) -> None:
        self._notes = notes
        self._which = {"socket": number}
        self._socket = socket

    async def send(self, frame: Frame) -> None:
        told = self._told(frame, incoming=False)
        with _telling(self._notes, lines.Socket, self._which, "send", **told):
            await self._socket.send(frame)
        self._notes.tell(lines.Socket, **self._which, call="send", **told)

    async def receive(self) -> Frame:
        with _telling(self._notes, lines.Socket, self._which, "receive"):
            frame = await self._socket.receive()
        self._notes.tell(lines.Socket, **self._which, call="receive", **self._told(frame, incoming=True))
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        with _telling(self._notes, lines.Socket, self._which, "close", code=code, reason=reason):
            await self._socket.close(code, reason)
        self._notes.tell(lines.Socket, **self._which, call="close", code=code, reason=reason)

    def _told(self, frame: Frame, *, incoming: bool) -> dict[str, Any]:
        kept = self._notes.leave_out.from_frame(frame, incoming=incoming)
        return {"frame": kept, "binary": isinstance(frame, bytes)}


class TappedAligner:
    """Tells what it says: nobody else has to have it, nor the audio that it looks at."""

    def __init__(self, notes: Notes, aligner: Aligner) -> None:
        self._notes = notes
        self._aligner = aligner
        self._count = 0

    def begin(self, rate: int) -> Alignment:
        self._count += 1
        return _TappedAlignment(self._notes, self._count, self._aligner.begin(rate))


class _TappedAlignment(Covered):
    def __init__(self, notes: Notes, number: int, alignment: Alignment) -> None:
        super().__init__(alignment)
        self._notes = notes
        self._number = number
        self._said: Sequence[Word] = ()

    def words(self) -> Sequence[Word]:
        words = tuple(super().words())
        both = zip(self._said, words, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        plain = self._notes.leave_out.from_plain
        told = tuple(replace(word, text=plain(word.text)) for word in words[same:])
        self._notes.tell(lines.Aligned, alignment=self._number, same=same, words=told)
        self._said = words
        return words


class TappedJournal:
    """Tells what it was given, once that is durable, and what it held."""

    def __init__(self, notes: Notes, journal: Journal) -> None:
        self._notes = notes
        self._journal = journal
        self.sessions = journal.sessions

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        told = self._told(session_id, enumerate(records, first))
        with _telling(self._notes, lines.Journal, {}, "append", records=told):
            await self._journal.append(session_id, first, records)
        self._notes.tell(lines.Journal, call="append", records=told)

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        with _telling(self._notes, lines.Journal, {}, "read"):
            stored = await self._journal.read(session_id)
        self._notes.tell(lines.Journal, call="read", records=self._told(session_id, stored))
        return stored

    def _told(self, session_id: str, stored: Iterable[tuple[int, bytes]]) -> tuple[lines.JournalRecord, ...]:
        return tuple(self._record(session_id, number, body) for number, body in stored)

    def _record(self, session_id: str, number: int, body: bytes) -> lines.JournalRecord:
        try:
            record = decode(session_id, number, body)
        except Damage:
            return lines.JournalRecord(number, trouble="damaged")
        except ConfigurationError:
            return lines.JournalRecord(number, trouble="newer")
        at = record.at - record.epoch  # as all times in a recording
        return lines.JournalRecord(number, at, record.epoch, self._notes.plain(record.change))


@contextmanager
def _telling(
    notes: Notes,
    kind: Callable[..., lines.Event],
    which: Mapping[str, int],
    call: str,
    **what: Any,  # noqa: ANN401 - fields of a line
) -> Generator[None]:
    """Tell why it came to nothing, if it does."""
    try:
        yield
    except get_cancelled_exc_class():
        notes.tell(lines.Cancelled, call=call, **which)
        raise
    except Exception as error:
        notes.tell(kind, **which, call=call, error=notes.failure(error), **what)
        raise


class TappedSink:
    """Tells what the device was told. What it reports is its own doing, not that of the actor that hears it."""

    def __init__(self, notes: Notes, sink: Sink) -> None:
        self._notes = notes
        self._sink = sink

    @property
    def rate(self) -> int:
        return self._sink.rate

    def begin(self, message_id: str) -> None:
        self._call("begin", self._sink.begin, message_id)

    def write(self, message_id: str, pcm: bytes) -> None:
        audio = self._notes.leave_out.audio_of(pcm, keep=False)
        self._call("write", lambda message_id: self._sink.write(message_id, pcm), message_id, audio=audio)

    def finish(self, message_id: str) -> None:
        self._call("finish", self._sink.finish, message_id)

    def clear(self, message_id: str) -> None:
        self._call("clear", self._sink.clear, message_id)

    def pause(self, message_id: str) -> None:
        self._call("pause", self._sink.pause, message_id)

    def resume(self, message_id: str) -> None:
        self._call("resume", self._sink.resume, message_id)

    async def run(self, report: Callable[[Report], None]) -> None:
        def heard(said: Report) -> None:
            before = who.set(DEVICE)
            try:
                report(said)
            finally:
                who.reset(before)

        try:
            await self._sink.run(heard)
        except get_cancelled_exc_class():
            self._notes.tell(lines.Cancelled, call="play")
            raise
        except Exception as error:
            self._notes.tell(lines.Device, call="stopped", error=self._notes.failure(error))
            raise
        self._notes.tell(lines.Device, call="stopped")

    def _call(self, call: str, told: Callable[[str], None], message_id: str, audio: lines.Plain | None = None) -> None:
        try:
            told(message_id)
        except Exception as error:
            self._notes.tell(
                lines.Device, call=call, message_id=message_id, audio=audio, error=self._notes.failure(error)
            )
            raise
        self._notes.tell(lines.Device, call=call, message_id=message_id, audio=audio)
