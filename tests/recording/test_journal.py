"""A session with a journal, recorded: a replay needs no database, and does with it what the session did."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec import json

from rtactors import (
    ConfigurationError,
    Deadlines,
    JournalConflict,
    JournalDamaged,
    JournalFailed,
    RtactorsError,
    Session,
)
from rtactors.journal import MemoryJournal, SqliteJournal
from rtactors.journal.base import Journal
from rtactors.journal.records import VERSION, Opened, Record, encode
from rtactors.loopback.script import Call, Reply, Say, Script
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.recording import Recorder
from rtactors.recording.telling import sentence
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import Conversation
from rtactors.testing.replay import Differs, replay
from tests.recording.recorded import TWO, asked, changed, interrupted, lines, read, record
from tests.recording.test_schema import SCHEMA, faults

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])

KEY = "sk-proj-Zk3vB7q9LwXy"
ID = "call 7"


class Silent(MemoryJournal):
    """Does not answer when it is read, until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = anyio.Event()

    async def read(self, session_id: str) -> Sequence[tuple[int, bytes]]:
        await self.answers.wait()
        return await super().read(session_id)


class Broken(MemoryJournal):
    """Fails with what is no error of a journal's."""

    def __init__(self, failure: Exception) -> None:
        super().__init__()
        self.raises = failure

    async def append(self, session_id: str, first: int, records: Sequence[bytes]) -> None:
        if first > 1:
            raise self.raises
        await super().append(session_id, first, records)


def of_kind(data: bytes, kind: str) -> list[dict[str, Any]]:
    return [event for event in lines(data) if event["kind"] == kind]


def published(data: bytes, of: str) -> list[dict[str, Any]]:
    return [event["event"] for event in of_kind(data, "published") if event["event"]["type"] == of]


def header(data: bytes) -> dict[str, Any]:
    return json.decode(data.splitlines()[0])


def same(data: bytes) -> None:
    """It can be replayed, and keeps to the schema."""
    history = replay(read(data))
    assert [item.id for item in history] == [item["id"] for item in lines(data)[-1]["history"]]
    assert [fault for line in data.splitlines() for fault in faults(json.decode(line), SCHEMA)] == []


async def talks(session: Session) -> None:
    """Of two replies the second is cut by the end."""
    await (await session.ask(f"My key is {KEY}, what is the weather?")).done()
    await session.ask("And tomorrow?")
    await anyio.sleep(1)


async def goes_on(session: Session) -> None:
    await (await session.ask("Go on.")).done()


def weather() -> Script:
    call = Call(name="weather", arguments='{"city": "Oslo", "password": "hunter2"}')
    return lambda _turn: Reply(outputs=(Say(text="One and two and three and four."), call))


def recorded(
    file: BytesIO, journal: Journal, server: MemoryServer, *, resumes: bool = False, **options: Any
) -> Session:
    more: dict[str, Any] = {"sink": PacedSink(), "connect": server.connect, "recorder": Recorder(file), **options}
    provider = OpenAIRealtime(api_key=KEY)
    if resumes:
        return Session.resume(journal, ID, provider, **more)
    return Session(provider, journal=journal, session_id=ID, **more)


def session_of(
    journal: Journal,
    scene: Callable[[Session], Awaitable[None]] = talks,
    *,
    backend: BackendName = "asyncio",
    raises: type[Exception] | None = None,
    **options: Any,
) -> bytes:
    """The recording of a session with this journal."""
    file = BytesIO()

    async def run() -> None:
        async with MemoryServer(weather()) as server, recorded(file, journal, server, **options) as session:
            await scene(session)

    with pytest.raises(raises) if raises else nullcontext():
        run_virtual(run, backend=backend, seed=1)
    return file.getvalue()


# ------------------------------------------------------------------------------------------------- what is written


@backends
@pytest.mark.parametrize("audio", [True, False])
@pytest.mark.parametrize("delay_s", [0, 0.3])
@pytest.mark.parametrize("scene", [interrupted, asked])
def test_what_was_written_is_written_again(
    backend: BackendName, scene: Callable[[Conversation], Awaitable[None]], delay_s: float, *, audio: bool
) -> None:
    journal = MemoryJournal(delay_s=delay_s)
    data = record(scene, backend=backend, journal=journal, audio=audio)
    (session_id,) = journal.records
    assert (header(data)["session_id"], header(data)["journal"]) == (session_id, "begun")
    written = [event["records"] for event in of_kind(data, "journal")]
    assert [len(records) for records in written] == journal.appends
    numbers = [each["number"] for records in written for each in records]
    assert numbers == list(range(1, len(journal.records[session_id]) + 1))
    assert published(data, "AgentSaid")
    same(data)


@backends
def test_a_slow_journal_holds_up_what_the_app_is_told(backend: BackendName) -> None:
    data = record(asked, backend=backend, journal=MemoryJournal(delay_s=2))
    told = next(event for event in of_kind(data, "published") if event["event"]["type"] == "AgentSaid")
    assert told["who"] == "journal"
    before = next(event for event in reversed(lines(data)[: told["n"] - 1]) if event["kind"] == "journal")
    assert before["records"]
    assert before["at"] == told["at"]
    same(data)


@backends
def test_in_real_time_with_a_database(backend: BackendName, tmp_path: Path) -> None:
    """Moments are looked up a little later than the turn began that they belong to, and so are those in records."""

    async def run() -> None:
        async with SqliteJournal(tmp_path / "journal.db") as journal, MemoryServer(weather()) as server:
            for file, resumes in (first, False), (second, True):
                async with recorded(file, journal, server, resumes=resumes, sink=MemorySink()) as session:
                    await goes_on(session)

    first, second = BytesIO(), BytesIO()
    anyio.run(run, backend=backend)
    same(first.getvalue())
    same(second.getvalue())


def test_any_order_of_turns() -> None:
    for seed in range(10):
        for delay_s in (0, 0.02):
            same(record(interrupted, TWO, journal=MemoryJournal(delay_s=delay_s), seed=seed))


def test_a_session_without_a_journal_has_its_id_all_the_same() -> None:
    data = record()
    assert header(data)["session_id"]
    assert header(data)["journal"] == ""
    assert not of_kind(data, "journal")


def test_recordings_from_before_there_were_journals_in_them() -> None:
    first, rest = record().split(b"\n", 1)
    old = json.encode(
        {name: value for name, value in json.decode(first).items() if name not in {"session_id", "journal"}}
    )
    replay(read(old + b"\n" + rest))


# -------------------------------------------------------------------------------------------------- what goes wrong


@backends
@pytest.mark.parametrize("failure", [JournalFailed("the disk is full"), JournalConflict("somebody else")])
def test_a_journal_that_fails_in_the_middle(backend: BackendName, failure: JournalFailed) -> None:
    journal = MemoryJournal()

    async def scene(session: Session) -> None:
        await session.ask("Hello?")
        await anyio.sleep(0.5)
        journal.failure = failure
        await anyio.sleep_forever()

    data = session_of(journal, scene, backend=backend, raises=type(failure))
    *_, last = of_kind(data, "journal")
    assert (last["error"]["type"], last["error"]["message"]) == (type(failure).__name__, str(failure))
    assert last["records"]
    same(data)


@backends
def test_a_journal_that_hangs(backend: BackendName) -> None:
    journal = MemoryJournal()

    async def scene(session: Session) -> None:
        await session.ask("Hello?")
        await anyio.sleep(0.5)
        journal.stall()
        await anyio.sleep_forever()

    data = session_of(journal, scene, backend=backend, raises=JournalFailed, deadlines=Deadlines(journal=3))
    assert ("journal", "append") in [(event["who"], event["call"]) for event in of_kind(data, "cancelled")]
    same(data)


@backends
@pytest.mark.parametrize(
    ("failure", "raises"), [(ValueError("no such disk"), ValueError), (TimeoutError("too slow"), JournalFailed)]
)
def test_a_journal_that_fails_as_it_should_not(
    backend: BackendName, failure: Exception, raises: type[Exception]
) -> None:
    data = session_of(Broken(failure), backend=backend, raises=raises)
    assert bool(of_kind(data, "crashed")) == (raises is ValueError)
    same(data)


@backends
def test_a_session_that_is_overtaken(backend: BackendName) -> None:
    journal = MemoryJournal()

    async def scene(session: Session) -> None:
        await session.ask("Hello?")
        await anyio.sleep(0.5)
        number = len(journal.records[ID]) + 1
        await journal.append(ID, number, [encode(ID, number, Record(VERSION, 0, 0, Opened()))])
        await anyio.sleep_forever()

    data = session_of(journal, scene, backend=backend, raises=JournalConflict)
    assert of_kind(data, "journal")[-1]["error"]["type"] == "JournalConflict"
    same(data)


# ------------------------------------------------------------------------------------------------- what was resumed


@backends
@pytest.mark.parametrize("delay_s", [0, 0.3])
def test_a_resumed_session_needs_no_journal_to_be_replayed(backend: BackendName, delay_s: float) -> None:
    journal = MemoryJournal(delay_s=delay_s)
    session_of(journal, backend=backend)
    before = len(journal.records[ID])
    data = session_of(journal, goes_on, resumes=True, backend=backend)
    found, opened, *_ = of_kind(data, "journal")
    assert (header(data)["session_id"], header(data)["journal"]) == (ID, "resumed")
    assert (found["who"], found["call"], len(found["records"])) == ("app", "read", before)
    assert (opened["who"], opened["call"], opened["records"][0]["number"]) == ("app", "append", before + 1)
    calls = published(data, "FunctionCalled")
    assert [call.get("resumed", False) for call in calls] == [True, True, False]
    assert "And tomorrow?" in [item.heard_text for item in replay(read(data))]
    same(data)


@backends
def test_what_was_broken_off_and_torn(backend: BackendName) -> None:
    """The process was killed while a record was written."""
    journal = MemoryJournal()
    session_of(journal, backend=backend)
    heard = next(
        number for number, body in enumerate(journal.records[ID], 1) if b"heard" in body and b"started_at" in body
    )
    journal.records[ID] = [*journal.records[ID][: heard + 1], journal.records[ID][heard + 1][:-1]]
    data = session_of(journal, goes_on, resumes=True, backend=backend)
    found, opened, *_ = of_kind(data, "journal")
    assert found["records"][-1] == {"number": heard + 2, "trouble": "damaged"}
    assert opened["records"][0]["change"] == {"type": "Opened", "left_out": [heard + 2]}
    assert "torn" in published(data, "Problem")[0]["message"]
    same(data)


@backends
@pytest.mark.parametrize(
    ("bodies", "raises"),
    [
        ([b"", encode(ID, 2, Record(VERSION, 0, 0, Opened()))], JournalDamaged),
        ([encode(ID, 1, Record(VERSION + 1, 0, 0, Opened()))], ConfigurationError),
        ([], ConfigurationError),
    ],
)
def test_what_can_not_be_resumed(backend: BackendName, bodies: list[bytes], raises: type[RtactorsError]) -> None:
    journal = MemoryJournal()
    journal.records[ID] = bodies
    data = session_of(journal, resumes=True, backend=backend, raises=raises)
    assert [event["kind"] for event in lines(data)] == ["seen", "journal", "over"]
    same(data)


@backends
def test_an_id_that_is_there_already(backend: BackendName) -> None:
    journal = MemoryJournal()
    session_of(journal, backend=backend)
    same(session_of(journal, backend=backend, raises=JournalConflict))


@backends
@pytest.mark.parametrize("patience", [1, 5])
def test_a_journal_that_does_not_answer(backend: BackendName, patience: float) -> None:
    """Either the session gives up or, before that, the app."""
    file = BytesIO()

    async def run() -> None:
        with anyio.move_on_after(patience):
            async with (
                MemoryServer() as server,
                recorded(file, Silent(), server, resumes=True, deadlines=Deadlines(journal=3)),
            ):
                pass

    with pytest.raises(JournalFailed) if patience > 3 else nullcontext():
        run_virtual(run, backend=backend, seed=1)
    data = file.getvalue()
    assert [event["kind"] for event in lines(data)] == ["seen", "cancelled", "over"]
    same(data)


def test_a_recording_without_an_end_is_replayed_as_far_as_it_goes() -> None:
    journal = MemoryJournal(delay_s=0.3)
    session_of(journal)
    data = session_of(journal, goes_on, resumes=True)
    whole = data.splitlines(keepends=True)
    for count in [*range(1, 12), *range(12, len(whole), 40)]:
        replay(read(b"".join(whole[:count])))


# ------------------------------------------------------------------------------------------------ secrets, differences


def test_secrets_are_in_no_record() -> None:
    journal = MemoryJournal()
    first = session_of(journal)
    stored = b"".join(journal.records[ID])
    assert KEY.encode() in stored
    assert b"hunter2" in stored
    for data in (first, session_of(journal, goes_on, resumes=True)):
        assert KEY.encode() not in data
        assert b"hunter2" not in data
        assert b"Oslo" in data
        same(data)


def tampered(data: bytes, change: Callable[[list[dict[str, Any]]], None]) -> Differs:
    """`change` is made to the records; what a replay says of it."""

    def change_events(events: list[dict[str, Any]]) -> None:
        change([each for event in events if event["kind"] == "journal" for each in event["records"]])

    with pytest.raises(Differs) as caught:
        replay(read(changed(data, change_events)))
    return caught.value


def says(records: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """The first record's item that says so."""
    items = (each["change"]["item"] for each in records if "item" in each["change"])
    return next(item for item in items if item.get("text") == text)


def test_a_record_that_was_written_otherwise_is_found() -> None:
    data = record(asked, journal=MemoryJournal())

    def other_words(records: list[dict[str, Any]]) -> None:
        says(records, "The first message.")["text"] = "Something else."

    difference = tampered(data, other_words).difference
    assert (difference.who, difference.expected) == ("journal", '"Something else."')
    assert difference.field.startswith("records[")
    assert difference.field.endswith("].change.item.text")

    def other_time(records: list[dict[str, Any]]) -> None:
        records[-1]["at"] += 0.001

    assert tampered(data, other_time).difference.field.endswith("].at")

    def other_epoch(records: list[dict[str, Any]]) -> None:
        records[-1]["epoch"] += 1

    assert tampered(data, other_epoch).difference.field.endswith("].epoch")


def test_a_record_that_was_read_otherwise_is_found() -> None:
    """By what the next server was told."""
    journal = MemoryJournal()
    session_of(journal)
    data = session_of(journal, goes_on, resumes=True)

    def change(records: list[dict[str, Any]]) -> None:
        says(records, "And tomorrow?")["text"] = "And yesterday?"

    difference = tampered(data, change).difference
    assert difference.who in {"context", "transport"}
    assert "And yesterday?" in difference.got


def test_a_record_that_is_none_is_found() -> None:
    journal = MemoryJournal()
    session_of(journal)
    data = session_of(journal, goes_on, resumes=True)

    def change(records: list[dict[str, Any]]) -> None:
        records[0]["change"]["type"] = "Closed"

    difference = tampered(data, change).difference
    assert (difference.field, difference.expected) == ("error", "null")
    assert "Closed" in difference.got


def test_it_is_told_in_words() -> None:
    journal = MemoryJournal()
    said = [sentence(each.event) for each in read(record(asked, journal=journal)).events if each.event]
    assert "journal: append 1 Opened" in said
    assert any("ItemChanged" in each for each in said if each.startswith("journal: append"))
    journal.records = {ID: []}
    nothing = read(session_of(journal, resumes=True, raises=ConfigurationError))
    assert "journal: read nothing" in [sentence(each.event) for each in nothing.events]
