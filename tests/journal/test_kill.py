"""A process that talks is killed, again and again, at moments of chance; nothing that it was told is lost.

Everything is real: the process and its end (SIGKILL), the sockets, the disk. Only the server survives, as a provider
would. `pytest tests/journal/test_kill.py --kills 200` for more of it.
"""

import random
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.text import TextReceiveStream
from msgspec import convert, json

from rtactors import HistoryItem
from rtactors.journal import SqliteJournal
from rtactors.journal.recall import Past, ledger_of, recall
from rtactors.ledger import Ledger
from rtactors.loopback.conversation import Snapshot
from rtactors.loopback.script import Call, Reply, Say, Timing, Turn
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.testing.clock import Backend, real_backends
from tests.journal.talker import SESSION

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
RATE = 24_000
QUICK = Timing(command_ms=0, created_ms=0, thinking_ms=5, between_ms=0, audio_ms=0)


@pytest.fixture
def anyio_backend() -> Backend:
    """Of the one who kills; those that are killed run on either."""
    return "asyncio", {}


def script(turn: Turn) -> Reply:
    """A function call, short messages, and so on."""
    if turn.index % 3 == 0:
        return Reply(outputs=(Say(text="Wait."), Call(name="pay", arguments='{"eur": 5}')))
    return Reply(outputs=(Say(text="One."), Say(text="Two and three.")))


def as_heard(item: HistoryItem) -> tuple[object, ...]:
    """All but its times, which every process tells by its own clock, and what may still come of its text."""
    return item.id, item.heard_text, item.heard_ms, item.interrupted, item.confirmed, item.call_id, item.output


class Told:
    """What the process told that it had been told, in all of its runs; each method below is a line of `talker`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.last_record = 0
        self.frames: dict[str, int] = {}
        """Heard, by message."""
        self.messages: list[HistoryItem] = []
        self.texts: list[str] = []
        self.gone: set[str] = set()
        self.calls: set[str] = set()
        self.answers: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """Another run."""
        self.history: list[HistoryItem] | None = None
        """What it began with."""
        self.calls_of_before: set[str] = set()
        self.on_server: tuple[Snapshot, ...] | None = None
        """What the server of this run held, when it had been told the history, and maybe something more."""

    def durable(self, number: int) -> None:
        self.last_record = number

    def heard(self, message_id: str, frames: int) -> None:
        self.frames[message_id] = frames

    def said(self, message: dict[str, Any]) -> None:
        self.messages.append(convert(message, HistoryItem))

    def asked(self, text: str) -> None:
        self.texts.append(text)

    def removed(self, id: str) -> None:
        self.gone.add(id)

    def called(self, call_id: str, resumed: bool) -> None:  # noqa: FBT001 - as it stands in the line
        assert call_id not in self.answers, f"{call_id} was answered, and is to be run again"
        self.calls.add(call_id)
        if resumed:
            self.calls_of_before.add(call_id)

    def answered(self, call_id: str) -> None:
        self.answers.add(call_id)

    def opened(self, history: list[dict[str, Any]]) -> None:
        self.history = convert(history, list[HistoryItem])

    def restored(self) -> None:
        self.on_server = self.server.sessions[-1].items


def check_begin(told: Told, left: Ledger) -> None:
    """The run that was killed had begun with what was left by those before it."""
    if told.history is not None:
        assert [*map(as_heard, told.history)] == [*map(as_heard, left.history())]
    if told.on_server is not None:
        held = [
            (item.id, item.type, item.text, item.arguments, item.output) for item in told.on_server if item.id in left
        ]
        said = [
            (item.id, item.kind, item.heard_text, item.arguments, item.output)
            for item in left.history()
            if item.heard_text or item.kind != "message"  # of which not a word was heard there is nothing to tell
        ]
        assert held == said
        assert told.calls_of_before == left.unanswered.keys()


def check_end(told: Told, past: Past, left: Ledger) -> None:
    """Nothing of what it was told is missing from what it left, and nothing was made up."""
    assert past.next > told.last_record
    assert not past.torn
    history = {item.id: item for item in left.history()}
    said = [item for item in told.messages if item.id not in told.gone]
    assert [as_heard(history[item.id]) for item in said] == [*map(as_heard, said)]
    assert [id for id in history if id in {item.id for item in said}] == [item.id for item in said]
    for item in history.values():
        assert item.heard_ms <= told.frames.get(item.id, 0) * 1000 // RATE or item.confirmed
    assert not told.gone & history.keys()
    assert {*told.texts} <= {item.heard_text for item in history.values()}
    outputs = {item.call_id for item in history.values() if item.kind == "function_call_output"}
    assert told.answers <= outputs
    assert told.calls <= left.unanswered.keys() | outputs
    assert not left.unanswered.keys() & outputs


async def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path, kills: int) -> None:
    file = tmp_path / "journal.db"
    chance = random.Random(20)
    left = Ledger()
    backends = [name for name, _ in real_backends()]
    async with Server(script, voice=ToneVoice(60), timing=QUICK) as server:
        told = Told(server)
        for run in range(kills):
            command = [sys.executable, "-W", "error", "-m", "tests.journal.talker"]
            arguments = [server.url, str(file), backends[run % len(backends)], str(run)]
            told.begin()
            await killed_behind(chance.randrange(1, 60), [*command, *arguments], told)
            check_begin(told, left)
            async with SqliteJournal(file) as journal:
                past = await recall(journal, SESSION)
            left = ledger_of(past.records, epoch=past.records[-1].epoch)
            check_end(told, past, left)
    assert told.messages
    assert told.gone
    assert told.answers


async def killed_behind(lines: int, command: list[str], told: Told) -> None:
    """Let it run until it has told so much, then kill it; what it told until it was dead counts, too."""
    async with await anyio.open_process(command, cwd=ROOT, stderr=None) as process:
        assert process.stdout
        rest, count = "", 0
        async for piece in TextReceiveStream(process.stdout):
            *whole, rest = (rest + piece).split("\n")
            for line in whole:
                what, *fields = json.decode(line)
                getattr(told, what)(*fields)
                count += 1
                if count == lines:
                    process.kill()
        assert not rest
        assert await process.wait() == -signal.SIGKILL, "it ended by itself"
