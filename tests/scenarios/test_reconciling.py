"""What is told to the server, refused by it, lost, late or doubled: its history still becomes what was heard."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rtactors import mail
from rtactors.history import HistoryItem
from rtactors.limits import Deadlines
from rtactors.loopback.faults import ALWAYS, Faults, Rule, delay, drop, duplicate, edit, hold, inject
from rtactors.loopback.script import Failed, Gate, Incomplete, Reply, Say, Timing, Write, replies
from rtactors.operations import operation_id
from rtactors.session_events import MessageAnnounced, Problem, Unhandled
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, THREE, length

pytestmark = pytest.mark.anyio

IMPATIENT = Deadlines(acknowledge=0.2, stop=0.2, text=0.1)
"""So that what is waited for in real time is short."""


async def test_d7_truncated_is_as_it_should_be(begin: Begin) -> None:
    """The app changes the history around it, again and again."""
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(700)
        await talk.speak()
        await talk.session.quiet()
        told = len(talk.log.received)
        (message,) = talk.said()
        await talk.session.set_history(talk.session.history)
        await talk.session.quiet()
        assert len(talk.log.received) == told
        await talk.session.set_history([HistoryItem(id="", role="system", heard_text="Be brief."), message])
        talk.removed.add("rt_user_1")
        await talk.session.quiet()
        await talk.session.add("Go on.")
        await talk.session.quiet()
        assert [(item.role, item.text, item.audio_ms) for item in talk.items()] == [
            ("system", "Be brief.", 0),
            ("assistant", "", 700),
            ("user", "Go on.", 0),
        ]
        assert [item.heard_text for item in talk.session.history] == ["Be brief.", message.heard_text, "Go on."]
        assert talk.held() == talk.heard() == [(message.id, 700)]
        assert len(talk.sent("conversation.item.truncate")) == 1
        assert message.id not in {delete["item_id"] for delete in talk.sent("conversation.item.delete")}


async def test_d21_cut_beyond_what_the_server_holds(begin: Begin) -> None:
    """It holds 85 ms less than it sent: refused, it is cut there, and the conversation goes on."""
    held_ms = length(SECOND) - 85
    async with begin(replies(Say(text=SECOND, missing_ms=85), FIRST)) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.sink.play(length(SECOND) - 40)
        await talk.speak()
        await talk.session.quiet()
        cuts = [cut["audio_end_ms"] for cut in talk.sent("conversation.item.truncate")]
        assert cuts == [length(SECOND) - 40, held_ms]
        (message,) = talk.said()
        assert talk.held() == [(message.id, held_ms)]
        assert talk.heard() == [(message.id, length(SECOND) - 40)]
        assert message.heard_ms == length(SECOND) - 40
        await talk.fall_silent()  # and the server answers
        talk.sink.play_all()
        await talk.tells(MessageAnnounced, 2)
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()][1:] == [FIRST]


async def test_d21_never_beyond_what_was_generated(begin: Begin) -> None:
    """The whole of what there is was heard, and the model was about to say more."""
    gate = Gate()
    async with begin(replies(Say(text=SECOND, gate=gate, gate_ms=600))) as talk:
        await talk.ask()
        await talk.sink.play(600)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_ms, message.interrupted) == (600, True)
        assert talk.held() == talk.heard() == [(message.id, 600)]
        assert not talk.sent("conversation.item.truncate")


async def test_e2_history_changes_while_a_delete_is_on_its_way(begin: Begin) -> None:
    late = Gate()
    script = replies(Say(text=FIRST, gate=Gate()))
    async with begin(script, faults=Faults(hold("conversation.item.deleted", late))) as talk:
        await talk.ask()
        await talk.tells(MessageAnnounced)
        await talk.speak()
        await talk.log.wait("conversation.item.delete")
        (user,) = talk.session.history
        await talk.session.set_history([HistoryItem(id="", role="system", heard_text="Be brief."), user])
        await talk.session.add("And quick.", role="system", after="")
        await talk.log.wait("conversation.item.create", 3)
        late.open()
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["And quick.", "Be brief.", "Tell me a story."]
        assert [item.heard_text for item in talk.session.history] == [item.text for item in talk.items()]
        assert talk.held() == talk.heard() == []
        assert len(talk.sent("conversation.item.delete")) == 1


ERRORS = {
    "of nobody": {"event_id": None, "code": "server_error", "message": "The server had an error."},
    "of an unknown event": {"event_id": "never sent", "code": "invalid_value", "message": "Invalid value."},
    "of the cut, though it happened": {"event_id": "context-2", "code": "invalid_value", "message": "Nonsense."},
    "of the request, though it runs": {
        "event_id": "response-1",
        "code": "conversation_already_has_active_response",
        "message": "Conversation already has an active response in progress: resp_000001.",
    },
    "without words": {"event_id": None, "code": None, "message": ""},
}


@pytest.mark.parametrize("what", ERRORS)
async def test_e6_any_error_of_the_server_and_the_session_lives(begin: Begin, what: str) -> None:
    error = {"type": "error", "event_id": "event_x", "error": {"type": "invalid_request_error", **ERRORS[what]}}
    async with begin(replies([FIRST, SECOND], THIRD)) as talk:
        await talk.ask()
        await talk.sink.play(500)
        talk.wire.inject(error)
        await talk.log.wait("error")
        await talk.sink.play(200)
        await talk.session.interrupt()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 700)]
        talk.sink.play_all()
        reply = await talk.ask("Go on.")
        await reply.done()
        assert talk.said()[1].heard_text == THIRD


async def test_e6_an_error_goes_to_its_operation(begin: Begin) -> None:
    """The delete of something that the server lost by itself: absent is what was wanted, and no problem."""
    late = Gate()
    async with begin(THREE, faults=Faults(hold("conversation.item.deleted", late))) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await talk.log.wait("response.done")
        third = talk.items("assistant")[2].id
        talk.wire.conversation.delete(third)
        await talk.speak()
        await talk.log.wait("error")
        late.open()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 500)]
    assert not [event for event in talk.events if isinstance(event, Problem)]


@pytest.mark.parametrize("ack", ["conversation.item.truncated", "conversation.item.deleted"])
@pytest.mark.parametrize("times", [1, ALWAYS])
async def test_e6_a_lost_acknowledgement_is_no_wait(begin: Begin, ack: str, times: int) -> None:
    async with begin(THREE, faults=Faults(drop(ack, times=times)), deadlines=IMPATIENT) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await talk.log.wait("response.done")
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 500)]


async def test_e6_an_acknowledgement_at_the_very_moment_of_its_deadline(begin: Begin) -> None:
    """Both are on their way: what has ended is not given up as well."""
    async with begin(THREE) as talk:
        await talk.session.add("Be brief.")
        await talk.session.quiet()
        inbox = talk.session._actors.context.inbox  # pyright: ignore[reportPrivateUsage] - no clock is exact enough
        inbox.send(mail.OperationDeadline(operation_id("context", 1)))
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["Be brief."]


@pytest.mark.parametrize("where", ["assistant", "user"])
async def test_e1_late_news_of_every_item(begin: Begin, where: str) -> None:
    late = Gate()
    faults = Faults(
        hold("conversation.item.added", late, times=ALWAYS, where=lambda event: event["item"].get("role") == where)
    )
    async with begin(THREE, faults=faults) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST) + 500)
        await talk.log.wait("response.done")
        await talk.session.interrupt()
        late.open()
        await talk.log.wait("conversation.item.truncated")
        await talk.log.wait("conversation.item.deleted")
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 500)]


# ------------------------------------------------------------------------------------------ E10: what ends differently


async def test_e10_message_without_audio(begin: Begin) -> None:
    """Nothing was heard of it, so nobody remembers it; those around it have positions of their own."""
    async with begin(replies([FIRST, Say(text="Nothing to hear.", silent=True), THIRD])) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        first, third = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (third.id, length(THIRD))]
        assert [message.heard_text for message in (first, third)] == [FIRST, THIRD]


async def test_e10_message_that_is_only_shown(begin: Begin) -> None:
    async with begin(replies([FIRST, Write(text="A table."), THIRD])) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        first, shown, third = talk.said()
        assert (shown.heard_text, shown.heard_ms, shown.interrupted) == ("A table.", 0, False)
        assert talk.held() == [(first.id, length(FIRST)), (shown.id, 0), (third.id, length(THIRD))]
        assert talk.heard() == [(first.id, length(FIRST)), (third.id, length(THIRD))]


@pytest.mark.parametrize("ending", [Failed(after_ms=900), Incomplete(after_ms=900)], ids=["failed", "incomplete"])
async def test_e10_response_that_ends_in_the_middle(begin: Begin, ending: Failed | Incomplete) -> None:
    """All that there is of the audio is heard; of the text, which ran ahead, no more than that."""
    async with begin(replies(Reply(outputs=(Say(text=SECOND),), ending=ending))) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        await talk.reaches("response", "settled")
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_ms, message.status) == (900, "incomplete")
        assert message.heard_text in {"The second one", "The second"}  # 15 characters: "The second one "
        assert talk.held() == talk.heard() == [(message.id, 900)]
        assert reply.status == ("failed" if isinstance(ending, Failed) else "incomplete")


async def test_e10_interrupted_in_what_broke_off(begin: Begin) -> None:
    script = replies(Reply(outputs=(Say(text=FIRST), Say(text=SECOND)), ending=Failed(after_ms=length(FIRST) + 900)))
    async with begin(script) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.sink.play(length(FIRST) + 360)
        await talk.speak()
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 360)]
        assert [message.status for message in (first, second)] == ["completed", "incomplete"]
        assert [message.interrupted for message in (first, second)] == [False, True]


# --------------------------------------------------------------------------------------------- E14: strange servers


def no_usage(event: dict[str, Any]) -> None:
    event["response"]["usage"] = None


def unknown_field(event: dict[str, Any]) -> None:
    event["novelty"] = {"since": 2031}


NOVELTY = {"type": "response.novelty.began", "event_id": "event_x", "novelty": [1, 2]}
EVERY_TYPE = (
    "session.updated",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "input_audio_buffer.speech_started",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.done",
    "response.output_audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
)
STRANGE: dict[str, Callable[[], list[Rule]]] = {
    "response.created is missing": lambda: [drop("response.created")],
    "everything twice": lambda: [duplicate(each, times=ALWAYS) for each in EVERY_TYPE],
    "unknown types between all others": lambda: [inject(NOVELTY, before=each, times=ALWAYS) for each in EVERY_TYPE],
    "unknown fields in all": lambda: [edit(each, unknown_field, times=ALWAYS) for each in EVERY_TYPE],
    "usage is null": lambda: [edit("response.done", no_usage, times=ALWAYS)],
    "no output_item.added": lambda: [drop("response.output_item.added", times=ALWAYS)],
    "no output_item.done": lambda: [drop("response.output_item.done", times=ALWAYS)],
    "no audio.done": lambda: [drop("response.output_audio.done", times=ALWAYS)],
    "no content parts": lambda: [drop(f"response.content_part.{end}", times=ALWAYS) for end in ("added", "done")],
    "item.added is missing, item.done is not": lambda: [
        drop("conversation.item.added", times=ALWAYS, where=lambda event: event["item"].get("role") == "assistant")
    ],
    "item.done is missing": lambda: [drop("conversation.item.done", times=ALWAYS)],
    "an end of nothing": lambda: [
        inject({"type": "response.done", "event_id": "e", "response": {"id": "resp_never"}}, before="response.created")
    ],
}


@pytest.mark.parametrize("what", STRANGE)
async def test_e14_whatever_the_server_sends_to_the_end(begin: Begin, what: str) -> None:
    async with begin(THREE, faults=Faults(*STRANGE[what]()), deadlines=IMPATIENT) as talk:
        reply = await talk.ask()
        for text in (FIRST, SECOND, THIRD):
            await talk.sink.play(length(text))
        assert [message.heard_text for message in await reply.done()] == [FIRST, SECOND, THIRD]
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [FIRST, SECOND, THIRD]
        assert talk.held() == talk.heard()


@pytest.mark.parametrize("what", STRANGE)
async def test_e14_whatever_the_server_sends_and_interrupted(begin: Begin, what: str) -> None:
    async with begin(THREE, faults=Faults(*STRANGE[what]()), deadlines=IMPATIENT) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST) + 500)
        await talk.reaches("response", "finishing")
        await talk.speak()
        await talk.log.wait("conversation.item.truncated")
        await talk.log.wait("conversation.item.deleted")
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 500)]
        assert second.interrupted


async def test_e14_unknown_types_are_told(begin: Begin) -> None:
    async with begin(THREE, faults=Faults(inject(NOVELTY, before="response.done"))) as talk:
        await talk.ask()
        talk.sink.play_all()
        assert (await talk.tells(Unhandled)).name == "response.novelty.began"
        await talk.session.quiet()


async def test_e14_dones_of_all_items_at_the_end(begin: Begin) -> None:
    script = replies(Reply(outputs=(Say(text=FIRST), Say(text=SECOND), Say(text=THIRD)), batch_done=True))
    async with begin(script) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        assert [message.heard_text for message in await reply.done()] == [FIRST, SECOND, THIRD]
        await talk.session.quiet()
        assert talk.held() == talk.heard()


async def test_e14_late_item_news_over_and_over(begin: Begin) -> None:
    """Each `conversation.item.*` of the model comes half a second late, behind what it should precede."""
    kinds = ("added", "done")
    faults = Faults(*(delay(f"conversation.item.{kind}", ms=300, times=ALWAYS) for kind in kinds))
    async with begin(THREE, faults=faults) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.log.wait("conversation.item.truncated")
        await talk.log.wait("conversation.item.deleted", 2)
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 300)]


async def test_e14_message_of_which_only_the_end_is_told(begin: Begin) -> None:
    """Its announcement got lost, and it was interrupted before it had any content; the server holds it all the same."""
    lost = Faults(drop("response.output_item.added"))
    async with begin(replies(Say(text=FIRST, gate=Gate())), faults=lost) as talk:
        await talk.ask()
        await talk.log.wait("conversation.item.added", 2)
        await talk.reaches("response", "active")
        await talk.session.interrupt()
        await talk.log.wait("conversation.item.deleted")
        await talk.session.quiet()
        assert talk.held() == talk.heard() == talk.said() == []


async def test_e14_late_text_of_a_message_that_is_over(begin: Begin) -> None:
    """It begins no second message of the same id."""
    async with begin(replies(FIRST)) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await reply.done()
        (message,) = talk.said()
        late = {"response_id": reply.response_id, "item_id": message.id, "output_index": 0, "content_index": 0}
        talk.wire.inject({"type": "response.output_audio_transcript.delta", "event_id": "e", **late, "delta": ""})
        talk.wire.inject(NOVELTY)
        await talk.tells(Unhandled)
        await talk.session.quiet()
        assert talk.said() == [message]
    assert sum(isinstance(event, MessageAnnounced) for event in talk.events) == 1


async def test_quiet_is_as_soon_as_all_is_acknowledged(begin: Begin) -> None:
    """Not when some deadline passes that nobody waits for any more."""
    async with begin(THREE, timing=Timing()) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        asked = anyio.current_time()
        await talk.session.interrupt()
        await talk.session.quiet()
        assert talk.held() == talk.heard()
        if talk.virtual:
            assert anyio.current_time() - asked == pytest.approx(Timing().command_ms / 1000)
