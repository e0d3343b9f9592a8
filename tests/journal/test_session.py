"""A session with a journal: what the app was told is in it, and nothing but the app waits for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from rtactors import (
    Bounds,
    ConfigurationError,
    Deadlines,
    HistoryItem,
    JournalConflict,
    JournalDamaged,
    JournalFailed,
    Reply,
    ReplyFailed,
    Session,
    SessionClosed,
    mail,
)
from rtactors.actors.scribe import Scribe
from rtactors.channels import InboxFull
from rtactors.journal import MemoryJournal, salvage
from rtactors.journal.recall import ledger_of, recall
from rtactors.journal.records import Heard, ItemChanged
from rtactors.loopback.script import Call, Script, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, ConversationEnded, FunctionCalled, Problem, SessionEvent, Transition
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import settled
from rtactors.testing.conversation import conversation

pytestmark = pytest.mark.anyio

FIRST = "One and two and three and four and five and six."


def session_with(server: MemoryServer, journal: MemoryJournal, **more: Any) -> Session:
    options: dict[str, Any] = {"sink": MemorySink(), "session_id": "s", "connect": server.connect, **more}
    return Session(OpenAIRealtime(api_key=""), journal=journal, **options)


def resumed(server: MemoryServer, journal: MemoryJournal) -> Session:
    return Session.resume(journal, "s", OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect)


async def history_in(journal: MemoryJournal) -> list[HistoryItem]:
    """What a session that is resumed now begins with, in the times of the last one."""
    records = (await recall(journal, "s")).records
    return ledger_of(records, epoch=records[-1].epoch).history()


def after_a_kill(journal: MemoryJournal, records: int | None = None) -> MemoryJournal:
    """What is left if the process ends at this moment, or when there were so many records."""
    left = MemoryJournal()
    left.records = {id: stored[:records] for id, stored in journal.records.items()}
    return left


def of(kind: type[SessionEvent], events: list[SessionEvent]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@asynccontextmanager
async def seen(session: Session) -> AsyncGenerator[list[SessionEvent]]:
    """What the session tells, as it tells it."""
    events: list[SessionEvent] = []
    failures: list[Exception] = []

    async def listen() -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - each as it comes

    stream = session.events()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        try:
            yield events
        except Exception as failure:  # noqa: BLE001 - raised below: out here the task group would wrap it
            failures.append(failure)
        stream.close()
    for failure in failures:
        raise failure


def weather() -> Script:
    return replies(Call(name="weather", arguments='{"city": "Oslo"}'), "Four degrees.")


# ------------------------------------------------------------------------------------------------ what is written


async def test_what_was_said_goes_on_in_another_session() -> None:
    journal = MemoryJournal()
    async with MemoryServer(replies("Hello.", "And on.")) as server:
        async with session_with(server, journal) as session:
            await session.add("Be brief.", role="system", after="")
            await (await session.ask("Hi?")).done()
            gone = await session.add("Forget it.")
            await session.remove(gone)
        said = session.history
        assert [item.heard_text for item in said] == ["Be brief.", "Hi?", "Hello."]
        assert await history_in(journal) == said
        async with resumed(server, journal) as session:
            assert [item.heard_text for item in session.history] == ["Be brief.", "Hi?", "Hello."]
            await (await session.ask("Go on.")).done()
        assert [item.heard_text for item in session.history][3:] == ["Go on.", "And on."]
        assert await history_in(journal) == session.history


async def test_the_next_server_is_told_what_was_heard() -> None:
    journal = MemoryJournal()
    async with MemoryServer(weather()) as server:
        session = session_with(server, journal)
        async with seen(session) as events, session:
            await session.ask("What is the weather?")
            await session.quiet()
            await settled()
            await session.answer_call(of(FunctionCalled, events)[0].call_id, "4")
            await (await session.generate_reply()).done()
    async with MemoryServer(replies(FIRST)) as server:
        async with resumed(server, journal) as session:
            await session.quiet()
            assert told(server) == as_told(session)
            assert len(told(server)) == 4
            await session.ask("Tell me more.")
            journal = after_a_kill(journal)  # nothing of the answer was heard
        async with resumed(server, journal) as session:
            await session.quiet()
            assert told(server) == as_told(session)
            assert len(told(server)) == 5
            assert await (await session.generate_reply()).done()


def told(server: MemoryServer) -> list[tuple[object, ...]]:
    """What the newest session on the server holds."""
    items = server.sessions[-1].items
    return [(item.id, item.type, item.role, item.text, item.name, item.arguments, item.output) for item in items]


def as_told(session: Session) -> list[tuple[object, ...]]:
    return [
        (item.id, item.kind, item.role, item.heard_text, item.name, item.arguments, item.output)
        for item in session.history
    ]


async def test_ids_are_new_in_each_run() -> None:
    journal = MemoryJournal()
    ids: list[str] = []
    for run in range(3):
        async with MemoryServer() as server:
            session = resumed(server, journal) if run else session_with(server, journal)
            async with session:
                ids.append(await session.add("kept"))
                ids.append(await session.add("removed"))
                await session.remove(ids[-1])
                await session.set_history([*session.history, HistoryItem(id="", role="user", heard_text="new")])
                ids.append(session.history[-1].id)
    assert len({*ids}) == len(ids) == 9
    assert [item.heard_text for item in await history_in(journal)] == ["kept", "new"] * 3


async def test_an_id_may_come_back_as_something_else() -> None:
    """A message was broken off, is removed, and an app puts its own words in the place, under the old id."""
    journal = MemoryJournal()
    async with MemoryServer(replies(FIRST)) as server:
        async with session_with(server, journal, sink=PacedSink()) as session:
            await session.ask("Tell me.")
            await anyio.sleep(1)
            journal = after_a_kill(journal)
        *_, broken_off = await history_in(journal)
        assert not broken_off.confirmed
        async with resumed(server, journal) as session:
            await session.remove(broken_off.id)
        mine = HistoryItem(id=broken_off.id, role="assistant", heard_text="Mine.")
        async with resumed(server, journal) as session:
            await session.set_history([*session.history, mine])
        assert (await history_in(journal))[-1] == session.history[-1]
        assert (session.history[-1].id, session.history[-1].heard_text) == (mine.id, "Mine.")


async def test_a_session_without_a_name_gets_one() -> None:
    journal = MemoryJournal()
    async with MemoryServer() as server:
        for _ in range(2):
            async with session_with(server, journal, session_id=None) as session:
                await session.add("Hi?")
                assert session.id in await journal.sessions()
    assert len(await journal.sessions()) == 2


async def test_times_of_before_are_on_the_new_sessions_clock() -> None:
    journal = MemoryJournal()
    async with MemoryServer(replies(FIRST)) as server:
        async with session_with(server, journal, sink=PacedSink()) as session:
            await (await session.ask("Tell me.")).done()
            before = session.history[-1]
        assert before.started_at is not None
        assert before.stopped_at is not None
        past = await recall(journal, "s")
        ago = ledger_of(past.records, epoch=past.records[-1].epoch + 1000).history()[-1]
        assert (ago.started_at, ago.stopped_at) == (before.started_at - 1000, before.stopped_at - 1000)


# -------------------------------------------------------------------------------------- who waits, and who does not


async def test_the_app_is_told_nothing_that_is_not_written() -> None:
    journal = MemoryJournal()
    asked: list[str] = []
    async with MemoryServer(weather()) as server, session_with(server, journal) as session, seen(session) as events:
        journal.stall()

        async def ask() -> None:
            await session.ask("What is the weather?")
            asked.append("returned")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(1)
            assert [item.type for item in server.sessions[0].items] == ["message", "function_call"]  # it did not wait
            assert not asked
            assert not of(FunctionCalled, events)
            journal.go_on()
        await settled()
        (call,) = of(FunctionCalled, events)
        assert call.resumed is False

        await session.answer_call(call.call_id, "4")
        journal.stall()
        reply = await session.generate_reply()
        await anyio.sleep(1)
        assert session.history[-1].heard_text == "Four degrees."
        assert not of(AgentSaid, events)
        assert not reply.over
        journal.go_on()
        assert await reply.done() == session.history[-1:]
        await settled()  # who listens has its turn, too
        assert [event.message.id for event in of(AgentSaid, events)] == [session.history[-1].id]


async def test_what_comes_meanwhile_is_written_together() -> None:
    journal = MemoryJournal(delay_s=1)
    async with MemoryServer() as server, session_with(server, journal) as session:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(session.add, str(number))
        # One for the session, one for what came first, one for all that came while that was being written.
        assert anyio.current_time() <= 4
        assert len(session.history) == 50
    assert await history_in(journal) == session.history


async def test_speech_stops_the_sink_while_the_journal_hangs() -> None:
    journal = MemoryJournal()
    async with conversation(replies(FIRST), journal=journal) as talk:
        reply = await talk.ask()
        await talk.sink.play(600)
        journal.stall()
        now = anyio.current_time()
        await talk.speak()
        await settled()
        (segment,) = talk.ears.segments
        assert (segment.cleared_at, segment.stopped_at) == (now, now)
        assert talk.held() == [(segment.message_id, 600)]  # the server was told, too
        assert not reply.over
        journal.go_on()
        await talk.fall_silent()
        await talk.session.quiet()


async def test_without_a_journal_nobody_is_told_what_was_heard_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[mail.HeardSoFar] = []

    def note(_scribe: Scribe, so_far: mail.HeardSoFar) -> None:
        told.append(so_far)

    monkeypatch.setattr(Scribe, "heard", note)
    async with conversation(replies(FIRST)) as talk:
        await talk.ask()
        await talk.sink.play(1100)
    assert not told


# ------------------------------------------------------------------------------------------- the end at any moment


async def test_what_is_being_heard_when_the_process_ends_was_heard() -> None:
    """To a quarter of a second, and never more than was heard."""
    journal = MemoryJournal()
    async with conversation(replies(FIRST), journal=journal) as talk:
        await talk.ask("Tell me.")
        for _ in range(28):
            await talk.sink.play(100)
            await settled()
            (id,) = journal.records
            past = await recall(after_a_kill(journal), id)
            heard = talk.ears.segments[0].told_frames() * 1000 // 24_000
            whole = ledger_of(past.records, epoch=past.records[-1].epoch).history()
            if heard < 250:
                assert [item.role for item in whole] == ["user"]
                continue
            question, said = whole
            assert question.heard_text == "Tell me."
            assert heard - 250 < said.heard_ms <= heard
            assert FIRST.startswith(said.heard_text)
            assert len(said.heard_text.split()) == pytest.approx(said.heard_ms // 240, abs=1)
            assert (said.interrupted, said.confirmed) == (True, False)
            assert said.status != "in_progress"


async def test_where_it_is_paused_is_known_exactly() -> None:
    journal = MemoryJournal()
    async with conversation(replies(FIRST), journal=journal) as talk:
        await talk.ask("Tell me.")
        await talk.sink.play(640)
        await talk.session.pause()
        await talk.tells(Transition)
        await settled()
        (id,) = journal.records
        records = (await recall(journal, id)).records
        assert [record.change for record in records if isinstance(record.change, Heard)][-1].heard_ms == 640
        await talk.session.interrupt()


async def test_every_moment_at_which_it_may_end() -> None:
    """The journal, cut behind each of its records, is a conversation that can go on."""
    journal = MemoryJournal()
    async with MemoryServer(weather()) as server:
        session = session_with(server, journal, sink=PacedSink())
        async with seen(session) as events, session:
            await session.ask("What is the weather?")
            await session.quiet()
            await settled()
            (call,) = of(FunctionCalled, events)
            await session.answer_call(call.call_id, "4")
            await (await session.generate_reply()).done()
        whole = session.history
    ids = [item.id for item in whole]
    assert [item.kind for item in whole] == ["message", "function_call", "function_call_output", "message"]
    lengths: list[int] = []
    for records in range(1, len(journal.records["s"]) + 1):
        left = after_a_kill(journal, records)
        async with MemoryServer() as server:
            session = resumed(server, left)
            async with seen(session) as events, session:
                lengths.append(len(session.history))
                assert [item.id for item in session.history] == ids[: lengths[-1]]
                await settled()
                assert [call.resumed for call in of(FunctionCalled, events)] == [True] * (lengths[-1] == 2)
        assert await history_in(left) == session.history
    assert lengths == sorted(lengths)
    assert {*lengths} == {0, 1, 2, 3, 4}


async def test_a_call_that_nobody_answered_is_told_again_until_somebody_does() -> None:
    journal = MemoryJournal()
    async with MemoryServer(weather()) as server:
        session = session_with(server, journal)
        async with seen(session) as events, session:
            await session.ask("What is the weather?")
            await session.quiet()
        (call,) = of(FunctionCalled, events)
    async with MemoryServer(replies("Four degrees.")) as server:
        session = resumed(server, journal)
        early = session.events()
        async with session:
            again = FunctionCalled(call.call_id, call.name, call.arguments, resumed=True)
            assert await anext(early) == await anext(session.events()) == again
            await session.answer_call(call.call_id, "4")
            async with seen(session) as events:
                await session.quiet()
                assert not of(FunctionCalled, events)
                await session.answer_call(call.call_id, "5")
                await settled()
                assert call.call_id in [problem.operation for problem in of(Problem, events)]
    async with MemoryServer() as server:
        session = resumed(server, journal)
        async with seen(session) as events, session:
            assert [(item.kind, item.output) for item in session.history][1:] == [
                ("function_call", ""),
                ("function_call_output", "4"),
            ]
        assert not of(FunctionCalled, events)


async def test_a_call_that_was_not_handed_over_was_never_made() -> None:
    """The process ended before the app could be told of it."""
    journal = MemoryJournal()
    async with MemoryServer(weather()) as server, session_with(server, journal) as session:
        await session.ask("What is the weather?")
        await session.quiet()
    handed_over = next(
        number
        for number, record in enumerate((await recall(journal, "s")).records)
        if isinstance(record.change, ItemChanged)
        and record.change.item.kind == "function_call"
        and record.change.handed_over
    )
    assert [item.kind for item in await history_in(after_a_kill(journal, handed_over))] == ["message"]


# --------------------------------------------------------------------------------------------- journals that fail


async def test_a_journal_that_fails_ends_the_session() -> None:
    journal = MemoryJournal()

    async def converse() -> None:
        async with session:
            asked.append(await session.ask("Tell me."))
            await anyio.sleep(1)
            journal.failure = JournalFailed("the disk is full")
            with pytest.raises(SessionClosed, match="the disk is full"):
                await session.ask("And this?")
            await anyio.sleep_forever()

    async with MemoryServer(replies(FIRST)) as server:
        session = session_with(server, journal, sink=PacedSink())
        asked: list[Reply] = []
        async with seen(session) as events:
            with pytest.raises(JournalFailed, match="the disk is full"):
                await converse()
        assert anyio.current_time() < 2  # what can't be written down is not said
        assert not of(AgentSaid, events)
        with pytest.raises(ReplyFailed, match="the disk is full"):
            await asked[0].done()
        assert [item.role for item in session.history] == ["user", "assistant", "user"]
        assert len(await history_in(journal)) < 3


async def test_a_journal_that_never_answers_has_failed() -> None:
    journal = MemoryJournal()

    async def converse() -> None:
        async with session_with(server, journal, deadlines=Deadlines(journal=7)) as session:
            journal.stall()
            begun = anyio.current_time()
            with pytest.raises(SessionClosed, match="within 7 s"):
                await session.add("Hi?")
            assert anyio.current_time() == begun + 7
            await anyio.sleep_forever()

    async with MemoryServer() as server:
        with pytest.raises(JournalFailed, match="within 7 s"):
            await converse()
        with pytest.raises(JournalFailed, match="within 10 s"):
            async with session_with(server, journal, session_id="another"):
                pytest.fail("it can't be written down")


async def test_who_is_too_far_behind_ends_the_session() -> None:
    """As any other inbox does. Before that, the deadline would have."""
    journal = MemoryJournal()

    async def converse() -> None:
        async with session_with(server, journal, bounds=Bounds(inbox=20)) as session:
            journal.stall()
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(session.add, str(number))
                    await settled()

    async with MemoryServer() as server:
        with pytest.raises(InboxFull, match="the journal actor does not keep up"):
            await converse()


async def test_when_the_block_is_over_everything_is_written() -> None:
    journal = MemoryJournal(delay_s=0.3)
    async with MemoryServer(replies(FIRST)) as server:
        async with session_with(server, journal, sink=PacedSink()) as session:
            await session.ask("Tell me.")
            await anyio.sleep(1)
        assert session.history[-1].interrupted
        assert await history_in(journal) == session.history


@pytest.mark.parametrize("cause", [None, ZeroDivisionError()])
async def test_a_block_does_not_end_well_if_its_end_is_not_written(cause: Exception | None) -> None:
    """Unless it doesn't for a reason of its own."""

    async def converse() -> None:
        async with session_with(server, journal, sink=PacedSink()) as session:
            await session.ask("Tell me.")
            await anyio.sleep(1)
            journal.failure = full
            if cause:
                raise cause

    journal, full = MemoryJournal(), JournalFailed("the disk is full")
    async with MemoryServer(replies(FIRST)) as server:
        with pytest.raises(type(cause or full)):
            await converse()


# ---------------------------------------------------------------------------------------- one writer for a session


async def test_an_id_that_is_there_is_not_begun_again() -> None:
    journal = MemoryJournal()
    async with MemoryServer() as server:
        async with session_with(server, journal) as session:
            await session.add("Hi?")
        with pytest.raises(JournalConflict, match=r"Session\.resume"):
            async with session_with(server, journal):
                pytest.fail("somebody else's conversation is not to be gone on with by accident")
        assert [item.heard_text for item in await history_in(journal)] == ["Hi?"]
        assert len(server.sessions) == 1


async def test_what_was_never_there_is_not_resumed() -> None:
    async with MemoryServer() as server:
        session = resumed(server, MemoryJournal())
        stream = session.events()
        with pytest.raises(ConfigurationError, match="no session 's'") as failed:
            async with session:
                pytest.fail("there is nothing to go on with")
        assert [event async for event in stream] == [ConversationEnded("error", str(failed.value), 0)]
        assert not server.sessions


async def test_who_resumes_is_the_one_who_writes() -> None:
    """A process that was believed to be dead, and is not, learns it with its next word."""
    journal = MemoryJournal()

    async def converse() -> None:
        async with session_with(server, journal) as old:
            await old.add("one")
            async with resumed(server, journal) as new:
                await new.add("two")
                with pytest.raises(SessionClosed, match="another process"):
                    await old.add("lost")
                with anyio.CancelScope(shield=True):  # the old one ends
                    await new.add("three")
            await anyio.sleep_forever()

    async with MemoryServer() as server:
        with pytest.raises(JournalConflict, match="another process"):
            await converse()
        assert [item.heard_text for item in await history_in(journal)] == ["one", "two", "three"]


# -------------------------------------------------------------------------------------------------- damaged journals


async def said(server: MemoryServer, journal: MemoryJournal, *texts: str) -> list[bytes]:
    """A session in which this was said; its records, for damaging them."""
    async with session_with(server, journal) as session:
        for text in texts:
            await session.add(text)
    return journal.records["s"]


async def test_a_torn_last_record_is_left_out_and_told_of() -> None:
    journal = MemoryJournal()
    async with MemoryServer() as server:
        records = await said(server, journal, "one", "two", "three")
        records[-1] = records[-1][:-5]
        torn = len(records)
        for run in range(3):
            session = resumed(server, journal)
            stream = session.events()
            async with session:
                texts = [item.heard_text for item in session.history]
                assert texts == ["one", "two", *(f"again {before}" for before in range(run))]
                await session.add(f"again {run}")
                problems = of(Problem, [await anext(stream)]) if run == 0 else []
                assert [str(torn) in problem.message for problem in problems] == [True] * (run == 0)


async def test_a_damaged_record_is_not_passed_over_in_silence() -> None:
    journal = MemoryJournal()
    async with MemoryServer() as server:
        records = await said(server, journal, "one", "two", "three")
        records[2] = records[2].replace(b"two", b"six")
        with pytest.raises(JournalDamaged, match=r"1 of its 4 records.*number 3.*salvage"):
            async with resumed(server, journal):
                pytest.fail("it is not what was said")
        assert await salvage(journal, "s", "rest") == 1
        provider = OpenAIRealtime(api_key="")
        async with Session.resume(journal, "rest", provider, sink=MemorySink(), connect=server.connect) as session:
            assert [item.heard_text for item in session.history] == ["one", "three"]


async def test_a_missing_record_is_found() -> None:
    class Gap(MemoryJournal):
        async def read(self, session_id: str) -> list[tuple[int, bytes]]:
            return [(number, body) for number, body in await super().read(session_id) if number not in {2, 3}]

    journal = Gap()
    async with MemoryServer() as server:
        await said(server, journal, "one", "two", "three")
        with pytest.raises(JournalDamaged, match=r"2 of its 4 records.*number 2"):
            async with resumed(server, journal):
                pytest.fail("it is not all that was said")
