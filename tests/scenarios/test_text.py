"""Messages that are only shown: what was shown counts, and the server is corrected by delete and create in place."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from rtactors import Session
from rtactors.journal import MemoryJournal
from rtactors.journal.recall import ledger_of, recall
from rtactors.limits import Deadlines
from rtactors.loopback.faults import ALWAYS, Faults, Rule, delay, drop, duplicate, hold, ignore, refuse
from rtactors.loopback.script import Gate, Reply, Say, Script, Write, replies
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, AgentStartedSpeaking, MessageAnnounced, MessageShown, Problem
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import Conversation
from tests.scenarios.by_hand import MESSAGE, ServerByHand
from tests.scenarios.conftest import Begin
from tests.scenarios.test_reconnect import BY_HAND, lose, told

TEXT = "The list has four entries, and the last of them is the longest one."
SEEN = "The list has four"
SPOKEN = "Here it is."

pytestmark = pytest.mark.anyio

IMPATIENT = Deadlines(acknowledge=0.2)
"""So that what is waited for in real time is short."""


def halfway(*more: Any) -> tuple[Script, Gate]:
    """A message of which the first part is written, and the rest when the gate is opened."""
    gate = Gate()
    return replies([Write(text=TEXT, phase="final_answer", gate=gate, gate_at=len(SEEN)), *more], SPOKEN), gate


async def seen(talk: Conversation, text: str = SEEN) -> None:
    """Until so much of the one message was shown."""
    while "".join(talk.shown().values()) != text:
        await talk.tells(MessageShown, 1 + sum(isinstance(event, MessageShown) for event in talk.events))


@asynccontextmanager
async def cut(begin: Begin, *, more: tuple[Any, ...] = (), **options: Any) -> AsyncGenerator[Conversation]:
    """One that was interrupted when `SEEN` was shown, and all of it was generated."""
    script, gate = halfway(*more)
    async with begin(script, **({"provider": BY_HAND} | options)) as talk:
        await talk.ask()
        await seen(talk)
        await talk.session.pause()
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.reaches("message", "partial")
        yield talk


# --------------------------------------------------------------------------------------------------- what was shown


async def test_it_is_shown_as_it_comes_and_counts_as_heard(begin: Begin) -> None:
    async with begin(replies(Write(text=TEXT))) as talk:
        reply = await talk.ask()
        [said] = await reply.done()
        assert await reply.heard()
        await talk.session.quiet()
        assert (said.heard_text, said.generated_text, said.interrupted) == (TEXT, TEXT, False)
        assert (said.heard_ms, said.generated_ms, said.confirmed) == (0, 0, True)
        assert said.started_at is not None
        assert said.stopped_at is not None
        assert said.started_at <= said.stopped_at
        assert [item.text for item in talk.items("assistant")] == [TEXT]
        assert talk.heard() == []
    assert talk.shown() == {said.id: TEXT}
    assert len([event for event in talk.events if isinstance(event, MessageShown)]) > 1
    assert not [event for event in talk.events if isinstance(event, AgentStartedSpeaking)]
    assert not talk.sent("conversation.item.delete")


async def test_a_session_of_text(begin: Begin) -> None:
    """The model is told to write what it would say."""
    async with begin(replies(SPOKEN, "And more."), provider={"output_modalities": ["text"]}) as talk:
        assert [said.heard_text for said in await (await talk.ask()).done()] == [SPOKEN]
        assert [said.heard_text for said in await (await talk.ask()).done()] == ["And more."]
    assert [*talk.shown().values()] == [SPOKEN, "And more."]


async def test_one_reply_of_text(begin: Begin) -> None:
    async with begin(replies(SPOKEN, SPOKEN)) as talk:
        await (await talk.ask(output="text")).done()
        assert (talk.heard(), talk.said()[0].heard_text) == ([], SPOKEN)
        talk.sink.play_all()
        await (await talk.ask()).done()
        assert len(talk.heard()) == 1


async def test_it_waits_for_its_turn(begin: Begin) -> None:
    """Text stands between two messages that are heard: nothing of it is shown before the first one was."""
    async with begin(replies([SPOKEN, Write(text=TEXT), "The end."])) as talk:
        reply = await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(500)
        assert talk.shown() == {}
        talk.sink.play_all()
        await reply.done()
        assert [said.heard_text for said in talk.said()] == [SPOKEN, TEXT, "The end."]
        text, end = talk.said()[1:]
        assert text.stopped_at is not None
        assert end.started_at is not None
        assert text.stopped_at <= end.started_at
    told = [event.message.heard_text for event in talk.events if isinstance(event, AgentSaid)]
    assert told == [SPOKEN, TEXT, "The end."]


async def test_what_was_never_shown_is_deleted(begin: Begin) -> None:
    async with begin(replies([SPOKEN, Write(text=TEXT)])) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(300)
        await talk.speak()
        await talk.session.quiet()
        [said] = talk.said()
        assert talk.held() == [(said.id, 300)]
        assert not said.heard_text.startswith("The list")
    assert talk.shown() == {}


async def test_paused_it_is_not_shown_and_goes_on(begin: Begin) -> None:
    script, gate = halfway()
    async with begin(script) as talk:
        reply = await talk.ask()
        await seen(talk)
        await talk.session.pause()
        gate.open()
        await talk.reaches("response", "finishing")
        assert not reply.over
        await talk.session.unpause()
        assert [said.heard_text for said in await reply.done()] == [TEXT]


async def test_it_is_empty(begin: Begin) -> None:
    async with begin(replies([Write(text=""), Write(text=TEXT)])) as talk:
        assert [said.heard_text for said in await (await talk.ask()).done()] == [TEXT]


# ------------------------------------------------------------------------------------------------- when it is cut


async def test_interrupted_just_when_nothing_more_comes(begin: Begin) -> None:
    """The server holds what was shown: there is nothing to correct."""
    script, _ = halfway()
    async with begin(script) as talk:
        reply = await talk.ask()
        await seen(talk)
        await talk.speak()
        await reply.done()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.interrupted) == (SEEN, True)
        assert reply.interrupted
        assert [item.text for item in talk.items("assistant")] == [SEEN]
        assert not talk.sent("conversation.item.delete")


async def test_it_is_deleted_and_created_in_place(begin: Begin) -> None:
    async with cut(begin) as talk:
        await talk.session.add("A note.")
        await talk.session.quiet()
        user, said, note = talk.session.history
        assert (said.heard_text, said.generated_text, said.interrupted) == (SEEN, TEXT, True)
        assert said.phase == "final_answer"
        assert [(item.id, item.text) for item in talk.items()] == [
            (user.id, user.heard_text),
            (said.id, SEEN),
            (note.id, "A note."),
        ]
        assert [delete["item_id"] for delete in talk.sent("conversation.item.delete")] == [said.id]
        [created] = [each for each in talk.sent("conversation.item.create") if each["item"]["id"] == said.id]
        assert created["previous_item_id"] == user.id
        assert created["item"] == {
            "type": "message",
            "id": said.id,
            "role": "assistant",
            "content": [{"type": "output_text", "text": SEEN}],
        }
        assert not talk.sent("conversation.item.truncate")
        talk.sink.play_all()
        await (await talk.ask("Go on.")).done()
        assert [item.text for item in talk.items("assistant")] == [SEEN, SPOKEN]


async def test_what_comes_after_the_interruption_is_counted_and_not_shown(begin: Begin) -> None:
    """The server needs its time to stop."""
    late = Gate()
    script, gate = halfway()
    async with begin(script, provider=BY_HAND, faults=Faults(ignore("response.cancel", times=1))) as talk:
        reply = await talk.ask()
        await seen(talk)
        await talk.session.interrupt()
        await talk.reaches("message", "partial")
        late.open()
        gate.open()
        await reply.done()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.generated_text) == (SEEN, TEXT)
        assert [item.text for item in talk.items("assistant")] == [SEEN]


async def test_two_of_them_in_one_response(begin: Begin) -> None:
    """The one behind what was cut was never shown; one before was shown in full."""
    async with cut(begin, more=(Write(text="Nobody sees this."), SPOKEN)) as talk:
        await talk.session.quiet()
        assert [said.heard_text for said in talk.said()] == [SEEN]
        assert [item.text for item in talk.items("assistant")] == [SEEN]


# --------------------------------------------------------------------------------------- what happens on the way


LOST: dict[str, Callable[[Gate], Rule]] = {
    "its delete is not acknowledged": lambda _: drop("conversation.item.deleted"),
    "its delete never arrived": lambda _: ignore("conversation.item.delete"),
    "its delete is acknowledged twice": lambda _: duplicate("conversation.item.deleted"),
    "its create comes late": lambda _: delay("conversation.item.added", ms=100, nth=3),
}


@pytest.mark.parametrize("what", LOST)
async def test_corrected_though(begin: Begin, what: str) -> None:
    faults = Faults(LOST[what](Gate()))
    async with cut(begin, faults=faults, deadlines=IMPATIENT) as talk:
        await talk.session.quiet()
        assert faults.applied == [1]
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN)]
        [said] = talk.said()
        await talk.session.remove(said.id)
        talk.removed.add(said.id)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story.")]


async def test_the_server_never_deletes_it(begin: Begin) -> None:
    never = Faults(drop("conversation.item.deleted", times=ALWAYS), drop("error", times=ALWAYS))
    async with cut(begin, faults=never, deadlines=IMPATIENT) as talk:
        await talk.session.quiet()
        problem = await talk.tells(Problem)
        [said] = talk.said()
        assert problem.message == f"item {said.id}: the server did not acknowledge what it was asked"
        assert [said.heard_text for said in talk.said()] == [SEEN]
        assert len(talk.sent("conversation.item.delete")) == 2
        assert not [each for each in talk.sent("conversation.item.create") if each["item"]["id"] == said.id]


async def test_the_server_says_so_too_late(begin: Begin) -> None:
    """It had been given up: it is written anew all the same."""
    late = Gate()
    faults = Faults(hold("conversation.item.deleted", late), drop("error"))
    async with cut(begin, faults=faults, deadlines=IMPATIENT) as talk:
        await talk.reaches("item", "unconfirmed")
        late.open()
        await talk.log.wait("conversation.item.create", 2)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN)]


@pytest.mark.parametrize("refused", ["conversation.item.delete", "conversation.item.create"])
async def test_the_server_refuses(begin: Begin, refused: str) -> None:
    nth = 2 if refused.endswith("create") else 1
    async with cut(begin, faults=Faults(refuse(refused, nth=nth))) as talk:
        await talk.session.quiet()
        problem = await talk.tells(Problem)
        assert "the server refused" in problem.message
        assert [said.heard_text for said in talk.said()] == [SEEN]
        expected = [TEXT] if nth == 1 else []
        assert [item.text for item in talk.items("assistant")] == expected
        await lose(talk)  # the next one is told what is true
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN)]


async def test_it_is_taken_out_meanwhile(begin: Begin) -> None:
    late = Gate()
    async with cut(begin, faults=Faults(hold("conversation.item.deleted", late))) as talk:
        await talk.log.wait("conversation.item.delete")
        [said] = talk.said()
        await talk.session.remove(said.id)
        talk.removed.add(said.id)
        late.open()
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story.")]
        assert len(talk.sent("conversation.item.delete")) == 1
        assert len(talk.sent("conversation.item.create")) == 1


async def test_what_comes_meanwhile_stands_behind_it(begin: Begin) -> None:
    """What the app adds, what the user says: the server puts it where the message was, before that is back."""
    late = Gate()
    async with cut(begin, faults=Faults(hold("conversation.item.deleted", late)), provider={}) as talk:
        await talk.log.wait("conversation.item.delete")
        await talk.session.add("A note.")
        await talk.speak()
        await talk.fall_silent()
        await talk.log.wait("conversation.item.added", 4)
        late.open()
        talk.sink.play_all()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        assert [item.id for item in talk.items()] == [item.id for item in talk.session.history]
        assert [item.text for item in talk.items()][1:3] == [SEEN, "A note."]


async def test_the_connection_is_lost_meanwhile(begin: Begin) -> None:
    late = Gate()
    async with cut(begin, faults=Faults(hold("conversation.item.deleted", late))) as talk:
        await talk.log.wait("conversation.item.delete")
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN)]
        assert [(said.heard_text, said.phase) for said in talk.said()] == [(SEEN, "final_answer")]


async def test_the_next_server_is_told_what_was_shown(begin: Begin) -> None:
    async with cut(begin) as talk:
        await talk.session.quiet()
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN)]
        assert not talk.sent("conversation.item.delete")


async def test_the_connection_is_lost_while_it_is_shown(begin: Begin) -> None:
    """What was received counts; the rest is asked for."""
    script, _ = halfway()
    async with begin(script, provider=BY_HAND) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await seen(talk)
        await lose(talk)
        await reply.done()
        await talk.session.quiet()
        assert [said.heard_text for said in talk.said()] == [SEEN, SPOKEN]
        assert told(talk) == [("user", "Tell me a story."), ("assistant", SEEN), ("assistant", SPOKEN)]


async def test_it_is_written_down(begin: Begin) -> None:
    """Also while it is being shown: a process may end at any time."""
    journal = MemoryJournal()
    script, _ = halfway()
    async with begin(script, provider=BY_HAND, journal=journal) as talk:
        await talk.ask()
        await seen(talk)
        await talk.time_passes(0.3)
        if talk.virtual:
            records = (await recall(journal, talk.session.id)).records
            [_, shown] = ledger_of(records, epoch=records[-1].epoch).history()
            assert (shown.heard_text, shown.interrupted, shown.confirmed) == (SEEN, True, False)
            assert shown.phase == "final_answer"


async def test_the_app_changes_it_no_further(begin: Begin) -> None:
    """D7, of text: what was written anew is as it should be."""
    async with cut(begin) as talk:
        await talk.session.quiet()
        sent = len(talk.log.received)
        await talk.session.set_history(talk.session.history)
        await talk.session.quiet()
        assert len(talk.log.received) == sent


async def test_two_phases(begin: Begin) -> None:
    lines = [
        Say(text=SPOKEN, phase="commentary"),
        Write(text=TEXT, phase="commentary"),
        Say(text="The end.", phase="final_answer"),
    ]
    expected = ["commentary", "commentary", "final_answer"]
    async with begin(replies(Reply(outputs=tuple(lines))), journal=MemoryJournal()) as talk:
        talk.sink.play_all()
        await (await talk.ask()).done()
        assert [said.phase for said in talk.said()] == expected
        await lose(talk)
        await talk.session.quiet()
        assert [said.phase for said in talk.said()] == expected
    assert [event.phase for event in talk.events if isinstance(event, MessageAnnounced)] == expected


async def test_it_comes_slowly() -> None:
    """For longer than a server may be silent, which it isn't."""
    server = ServerByHand()
    async with Session(OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect) as session:
        reply = await session.generate_reply()
        await server.begin(await server.receive("response.create"))
        await server.announce(MESSAGE)
        where = {"response_id": "resp_1", "item_id": MESSAGE["id"], "output_index": 0, "content_index": 0}
        for _ in range(5):
            await anyio.sleep(Deadlines().silence / 2)
            await server.say("response.output_text.delta", **where, delta="word ")
        item = {**MESSAGE, "status": "completed", "content": [{"type": "output_text", "text": "word " * 5}]}
        await server.say("response.output_item.done", response_id="resp_1", output_index=0, item=item)
        await server.say("response.done", response={"id": "resp_1", "status": "completed", "output": [item]})
        (message,) = await reply.done()
        assert (message.heard_text, message.interrupted) == ("word " * 5, False)
        assert await server.take() == []
