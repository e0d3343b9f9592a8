"""The user speaks over the agent: what was heard stays, everywhere, and nothing else does."""

import pytest

from rtactors.loopback.faults import Faults, edit, hold, ignore
from rtactors.loopback.script import Gate, Say, replies
from rtactors.session_events import AgentStartedSpeaking, AgentStoppedSpeaking, MessageAnnounced
from rtactors.testing.conversation import MS_PER_CHARACTER
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = "This is the first message.", "The second one is longer than that.", "And a third."
THREE = replies([FIRST, SECOND, THIRD])


def length(text: str) -> int:
    """How many ms it sounds."""
    return len(text) * MS_PER_CHARACTER


async def test_d1_barge_in_first_of_three_on_the_server(begin: Begin) -> None:
    async with begin(THREE) as talk:
        reply = await talk.ask()
        await talk.sink.play(500)
        await talk.log.wait("response.done")
        ids = [item.id for item in talk.items("assistant")]
        await talk.speak()
        await talk.session.quiet()
        assert talk.held() == talk.heard() == [(ids[0], 500)]
        assert [cut["audio_end_ms"] for cut in talk.sent("conversation.item.truncate")] == [500]
        assert {delete["item_id"] for delete in talk.sent("conversation.item.delete")} == {*ids[1:]}
        assert [message.id for message in await reply.done()] == ids[:1]
        assert reply.interrupted


async def test_d2_barge_in_first_of_three_in_the_history(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask("Tell me three things.")
        await talk.sink.play(900)  # 15 characters: "This is the fir"
        await talk.speak()
        await talk.session.quiet()
        user, message = talk.session.history
        assert (user.role, user.heard_text) == ("user", "Tell me three things.")
        assert (message.role, message.heard_text, message.heard_ms) == ("assistant", "This is the", 900)
        assert message.interrupted
        assert message.generated_text == FIRST
        assert talk.heard() == talk.held() == [(message.id, 900)]


async def test_d3_first_heard_second_buffered_and_silent(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST))  # and not a frame of the second, which has the floor
        await talk.log.wait("response.done")
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_text, message.interrupted, message.heard_ms) == (FIRST, False, length(FIRST))
        assert talk.held() == talk.heard() == [(message.id, length(FIRST))]
        assert not talk.sent("conversation.item.truncate")
        assert len(talk.sent("conversation.item.delete")) == 2


async def test_d11_each_message_has_its_own_times(begin: Begin) -> None:
    async with begin(THREE) as talk:
        reply = await talk.ask()
        for text in (FIRST, SECOND, THIRD):
            await talk.sink.play(200)
            await talk.time_passes(1)
            await talk.sink.play(length(text) - 200)
        messages = await reply.done()
        await talk.session.quiet()
        assert talk.said() == messages
        assert [message.heard_text for message in messages] == [FIRST, SECOND, THIRD]
        assert talk.held() == talk.heard() == [(message.id, message.heard_ms) for message in messages]
        for message, segment in zip(messages, talk.ears.segments, strict=True):
            assert (message.started_at, message.stopped_at) == (segment.started_at, segment.stopped_at)
        times = [time for message in messages for time in (message.started_at, message.stopped_at)]
        assert None not in times
        assert times == sorted(time for time in times if time is not None)
    assert sum(isinstance(event, AgentStartedSpeaking) for event in talk.events) == 1
    assert sum(isinstance(event, AgentStoppedSpeaking) for event in talk.events) == 1
    if talk.virtual:
        assert [(message.started_at, message.stopped_at) for message in messages] == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("captions", ["ahead", "aligned", "late"])
@pytest.mark.parametrize("generated_ms", [1500, 100_000])
async def test_d12_text_ends_where_the_audio_was_stopped(begin: Begin, captions: str, generated_ms: int) -> None:
    """Whether all of it is generated (and its text known) or only a part, and whatever the text does meanwhile."""
    text = "A text that runs ahead of its sound, as the texts of models do, and is known long before it is heard."
    gate = Gate()
    say = Say(text=text, transcript=captions, gate=gate, gate_ms=generated_ms)  # pyright: ignore[reportArgumentType] a str
    async with begin(replies(say)) as talk:
        await talk.ask()
        if generated_ms > length(text):
            gate.open()
            await talk.log.wait("response.output_audio_transcript.done")
        await talk.sink.play(1200)  # 20 characters: "A text that runs ahe"
        await talk.speak()
        gate.open()
        await talk.session.quiet()
        (message,) = talk.said()
        known = captions != "late" or generated_ms > length(text)
        assert message.heard_text in ({"A text that runs", "A text that"} if known else {""})
        assert message.interrupted
        assert talk.held() == talk.heard() == [(message.id, 1200)]


@pytest.mark.parametrize("heard_ms", [20, 700, 1540])
async def test_d15_position_is_of_the_message_that_plays(begin: Begin, heard_ms: int) -> None:
    """The audio of all three has long arrived: what was received says nothing."""
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.sink.play(heard_ms)
        await talk.speak()
        await talk.session.quiet()
        first = talk.ears.segments[0].message_id
        assert talk.held() == talk.heard() == [(first, heard_ms)]
        (cut,) = talk.sent("conversation.item.truncate")
        assert (cut["item_id"], cut["audio_end_ms"]) == (first, heard_ms)
        assert [(message.id, message.heard_ms) for message in talk.said()] == [(first, heard_ms)]


async def test_d18_position_does_not_add_up_over_messages(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST) + 600)
        await talk.speak()
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 600)]
        assert [(message.heard_ms, message.interrupted) for message in (first, second)] == [
            (length(FIRST), False),
            (600, True),
        ]


async def test_d16_server_forgets_the_words_and_the_history_does_not(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(900)  # 15 characters: "This is the fir"
        await talk.log.wait("response.done")
        await talk.speak()
        await talk.session.quiet()
        (item,) = talk.items("assistant")
        assert item.text == ""
        (message,) = talk.said()
        assert (message.heard_text, message.generated_text) == ("This is the", FIRST)
        assert talk.held() == talk.heard() == [(message.id, 900)]


async def test_d19_late_audio_is_not_heard_but_counts_as_generated(begin: Begin) -> None:
    """The cancel gets lost, so the server goes on and on: with this message, and with two more."""
    gate = Gate()
    script = replies([Say(text=SECOND, gate=gate, gate_ms=800), FIRST, THIRD])
    async with begin(script, faults=Faults(ignore("response.cancel"))) as talk:
        await talk.ask()
        await talk.sink.play(700)
        await talk.session.interrupt()
        await talk.log.wait("conversation.item.truncated")
        gate.open()
        await talk.log.wait("response.done")
        await talk.log.wait("conversation.item.deleted", 2)
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 700)]
        assert (message.heard_ms, message.generated_ms) == (700, length(SECOND))
        assert len(talk.ears.segments) == 1


async def test_d20_pause_of_seconds_does_not_count(begin: Begin) -> None:
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(400)
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.time_passes(5)
        await talk.session.unpause()
        await talk.sink.play(300)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 700)]
        assert message.heard_ms == 700


async def test_e1_announced_and_silent_is_deleted(begin: Begin) -> None:
    """The server holds it already. It is not cut at 0."""
    async with begin(replies(Say(text=FIRST, gate=Gate()))) as talk:
        await talk.ask()
        await talk.tells(MessageAnnounced)
        await talk.speak()
        await talk.session.quiet()
        assert talk.held() == talk.heard() == talk.said() == []
        assert not talk.sent("conversation.item.truncate")
        assert len(talk.sent("conversation.item.delete")) == 1


async def test_e1_deleted_when_it_turns_up(begin: Begin) -> None:
    """We know of it, but not that the server holds it: a delete now might be refused, so it waits for the news."""
    late = Gate()
    news = ("conversation.item.added", "conversation.item.done")
    faults = Faults(*(hold(each, late, where=lambda event: event["item"].get("role") == "assistant") for each in news))
    async with begin(replies(Say(text=FIRST, gate=Gate())), faults=faults) as talk:
        reply = await talk.ask()
        await talk.tells(MessageAnnounced)
        await talk.session.interrupt()
        await reply.done()
        assert not talk.sent("conversation.item.delete")
        late.open()
        await talk.log.wait("conversation.item.deleted")
        await talk.session.quiet()
        assert talk.held() == talk.heard() == talk.said() == []
        assert not talk.sent("conversation.item.truncate")


async def test_e3_cut_without_any_text(begin: Begin) -> None:
    async with begin(replies(Say(text=FIRST, transcript="none"))) as talk:
        await talk.ask()
        await talk.sink.play(640)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_text, message.heard_ms, message.interrupted) == ("", 640, True)
        assert talk.held() == talk.heard() == [(message.id, 640)]


async def test_e4_generated_and_still_playing(begin: Begin) -> None:
    """There is nothing to cancel, and yet everything to stop."""
    async with begin(THREE) as talk:
        reply = await talk.ask()
        await talk.sink.play(300)
        await talk.log.wait("response.done")
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        await talk.session.quiet()
        assert not talk.sent("response.cancel")
        (message,) = talk.said()
        assert talk.held() == talk.heard() == [(message.id, 300)]
        assert (reply.status, reply.interrupted, message.interrupted) == ("completed", True, True)


@pytest.mark.parametrize("named", ["the coming item", "the third message"])
async def test_e5_start_of_speech_names_the_coming_item(begin: Begin, named: str) -> None:
    """It is never compared with what plays, not even by a server that names something of ours."""
    third: list[str] = []

    def name(event: dict[str, str]) -> None:
        if named == "the third message":
            event["item_id"] = third[0]

    async with begin(THREE, faults=Faults(edit("input_audio_buffer.speech_started", name))) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await talk.log.wait("response.done")
        third.append(talk.items("assistant")[2].id)
        await talk.speak()
        await talk.session.quiet()
        first, *others = talk.said()
        assert not others
        assert talk.held() == talk.heard() == [(first.id, 500)]
        await talk.fall_silent()
        talk.sink.play_all()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        users = talk.items("user")
        assert [user.id for user in users] == [item.id for item in talk.session.history if item.role == "user"]
        if named == "the coming item":
            started = talk.log.find("input_audio_buffer.speech_started")[0].json
            assert started["item_id"] == users[1].id
