"""What is outside of a session, played by the recording: the provider's settings, network, journal, audio device."""

import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Literal, cast

from msgspec import Raw, json

from rtactors.alignment.base import Alignment, Word
from rtactors.events import Setup
from rtactors.journal.records import VERSION, Opened, Record, encode
from rtactors.providers.base import Capabilities, Endpoint, Frame, Provider
from rtactors.recording import lines
from rtactors.recording.leave_out import AUDIO, filled_in
from rtactors.recording.plain import change_from, error_of
from rtactors.sinks.base import Report
from rtactors.testing.replay.tape import Tape
from rtactors.transports.base import Socket


class StandInProvider:
    """Translates; what the app has decided it has from the recording."""

    def __init__(self, tape: Tape, provider: Provider) -> None:
        self._tape = tape
        self._provider = provider
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

    def configure(self, setup: Setup) -> Sequence[Frame]:
        self._provider.configure(setup)  # a connection begins; what that leads to is in the recording
        return self._frames("configure")

    def update(self, setup: Setup, operation_id: str) -> Sequence[Frame]:  # noqa: ARG002 - the recording has what it led to
        return self._frames("update")

    def _frames(self, call: Literal["configure", "update"]) -> Sequence[Frame]:
        asked = self._asked(call)
        return tuple(_frame(frame, binary=asked.binary) for frame in asked.frames)

    def _asked(self, call: Literal["endpoint", "configure", "update"]) -> lines.Provider:
        match self._tape.mine:
            case lines.Provider() as asked if asked.call == call:
                if asked.error:
                    raise error_of(asked.error)
                return asked
            case _:
                return lines.Provider(0, 0, "", call)


class StandInNetwork:
    """Brings and takes frames as it did."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._count = 0

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        self._count += 1
        socket = _Socket(self._tape, self._count)
        await socket.outcome("connect")
        try:
            yield socket
        finally:
            await socket.outcome("leave")


class _Socket:
    def __init__(self, tape: Tape, number: int) -> None:
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


class StandInJournal:
    """Takes and holds what it did."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:  # noqa: ARG002 - the tap compares it
        await self._outcome("append")

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        found = await self._outcome("read")
        return [(record.number, _stored(session_id, record)) for record in found.records]

    async def sessions(self) -> Sequence[str]:
        return [self._tape.header.session_id]

    async def _outcome(self, call: str) -> lines.Journal:
        await self._tape.turn((call, 0))
        event = self._tape.mine
        assert isinstance(event, lines.Journal)
        if event.error:
            raise error_of(event.error)
        return event


def _stored(session_id: str, record: lines.JournalRecord) -> bytes:
    """As the journal had it, or something that is as unreadable."""
    if record.trouble == "damaged":
        return b""
    if record.change is None:
        return encode(session_id, record.number, Record(VERSION + 1, 0.0, 0.0, Opened()))
    at, change = record.epoch + record.at, change_from(record.change)
    return encode(session_id, record.number, Record(VERSION, at, record.epoch, change))


class StandInAligner:
    """Says what it said."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def begin(self, rate: int) -> Alignment:  # noqa: ARG002 - it hears nothing
        return _Alignment(self._tape)


class _Alignment:
    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._words: tuple[Word, ...] = ()

    def add_text(self, text: str) -> None: ...
    def replace_text(self, text: str) -> None: ...
    def end_text(self) -> None: ...
    def add_audio(self, pcm: bytes) -> None: ...
    def end_audio(self) -> None: ...

    def words(self) -> Sequence[Word]:
        match self._tape.mine:
            case lines.Aligned() as said:
                self._words = (*self._words[: said.same], *said.words)
            case _:
                pass
        return self._words


class StandInDevice:
    """Says what it said."""

    def __init__(self, tape: Tape) -> None:
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
