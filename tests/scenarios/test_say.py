"""Fixed words, and text that a voice of ours speaks: heard, cut and recorded as what the server says."""

import anyio
import pytest
from msgspec.structs import replace

from rtactors import Bounds, ConfigurationError, Session
from rtactors.journal import MemoryJournal
from rtactors.limits import Backoff, Deadlines
from rtactors.loopback.script import Gate, Say, Write, replies
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, AgentStartedSpeaking, MessageShown, Problem, SpeechWanted
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import ALL_EVENTS, MS_PER_CHARACTER, Conversation
from rtactors.testing.voice import Tones
from tests.scenarios.conftest import Begin
from tests.scenarios.test_reconnect import BY_HAND, lose, told

WORDS = "Your call is recorded. Please hold the line."
FIRST, SECOND = "Your call is recorded. ", "Please hold the line."
STORY = "This is a story that the model tells."

pytestmark = pytest.mark.anyio


def length(text: str) -> int:
    """In ms."""
    return len(text) * MS_PER_CHARACTER


async def begun(talk: Conversation) -> None:
    """Until the first of it is heard."""
    await talk.tells(AgentStartedSpeaking)


# ------------------------------------------------------------------------------------------------- by the provider


async def test_the_model_is_asked_to_say_exactly_that(begin: Begin) -> None:
    async with begin(replies(STORY)) as talk:
        talk.sink.play_all()
        reply = await talk.say(WORDS)
        [said] = await reply.done()
        assert said.heard_text == WORDS
        assert [item.text for item in talk.items("assistant")] == [WORDS]
        [request] = talk.sent("response.create")
        assert request["response"]["instructions"].endswith(WORDS)
        assert request["response"]["tool_choice"] == "none"
        await (await talk.ask()).done()
        assert [said.heard_text for said in talk.said()] == [WORDS, STORY]


async def test_it_waits_for_the_slot_and_is_interrupted_like_any_reply(begin: Begin) -> None:
    async with begin(replies(STORY)) as talk:
        first = await talk.ask()
        second = await talk.say(WORDS)
        await talk.sink.play(length(STORY) + 600)
        await talk.speak()
        await talk.session.quiet()
        assert not first.interrupted
        assert second.interrupted
        assert talk.heard()[1][1] == 600
        assert second.heard_text == "Your call"


def test_neither_provider_nor_voice_can_say_it() -> None:
    class Mute(OpenAIRealtime):
        @property
        def capabilities(self):  # noqa: ANN202 - as there
            return replace(super().capabilities, says="never")

    async def tried() -> None:
        session = Session(Mute(api_key=""), sink=MemorySink())
        with pytest.raises(ConfigurationError, match="openai can't say given words: give the session a voice"):
            await session.say("Hello.")

    anyio.run(tried)


# ------------------------------------------------------------------------------------------------------ by the voice


async def test_the_voice_says_it_and_the_server_is_told_once_it_was_heard(begin: Begin) -> None:
    async with begin(replies(STORY), own_voice=Tones()) as talk:
        await talk.ask()
        await talk.sink.play(length(STORY))
        reply = await talk.say(WORDS)
        await talk.reaches("response", "finishing")
        assert told(talk) == [("user", "Tell me a story."), ("assistant", STORY)]
        talk.sink.play_all()
        [said] = await reply.done()
        await talk.session.quiet()
        assert (said.heard_text, said.interrupted, said.heard_ms) == (WORDS, False, length(WORDS))
        assert (reply.status, reply.response_id) == ("completed", reply.id)
        assert told(talk) == [("user", "Tell me a story."), ("assistant", STORY), ("assistant", WORDS)]
        assert len(talk.sent("response.create")) == 1
    wanted = [event.text for event in talk.events if isinstance(event, SpeechWanted)]
    assert wanted == [FIRST, SECOND]
    assert len([event for event in talk.events if isinstance(event, AgentStartedSpeaking)]) == 2


async def test_interrupted_it_is_told_as_it_was_heard(begin: Begin) -> None:
    async with begin(replies(STORY), own_voice=Tones()) as talk:
        reply = await talk.say(WORDS)
        await talk.sink.play(length(FIRST) + 550)
        await talk.speak()
        await reply.done()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.heard_ms, said.interrupted) == (FIRST + "Please", length(FIRST) + 550, True)
        assert reply.interrupted
        assert ("assistant", FIRST + "Please") in told(talk)
        assert not talk.sent("conversation.item.truncate")
        assert not talk.sent("conversation.item.delete")


async def test_of_what_nobody_heard_nobody_is_told(begin: Begin) -> None:
    async with begin(replies(STORY), own_voice=Tones(), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.sink.play(300)
        reply = await talk.say(WORDS)
        await talk.tells(SpeechWanted)
        await talk.session.interrupt(reply)
        assert await reply.done() == []
        assert not await reply.heard()
        talk.sink.play_all()
        await talk.session.quiet()
        assert [said.heard_text for said in talk.said()] == [STORY]
        assert told(talk) == [("user", "Tell me a story."), ("assistant", STORY)]


async def test_it_needs_no_slot_and_takes_its_turn(begin: Begin) -> None:
    """While a response is generated it waits for the floor only; with a priority it goes before others."""
    gate = Gate()
    script = replies([Say(text=STORY, gate=gate, gate_ms=600), "The end."])
    async with begin(script, own_voice=Tones(), provider=BY_HAND) as talk:
        reply = await talk.ask()
        await gate.reached.wait()
        usual, urgent = await talk.say("One moment."), await talk.say("Fire!", priority=1)
        talk.sink.play_all()
        gate.open()
        for each in (reply, usual, urgent):
            await each.done()
        await talk.session.quiet()
        heard = [said.heard_text for said in talk.said()]
        assert sorted(heard) == sorted([STORY, "The end.", "One moment.", "Fire!"])
    order = [event.message.heard_text for event in talk.events if isinstance(event, AgentSaid)]
    assert order[0] == STORY
    assert order.index("Fire!") < order.index("One moment.")


async def test_said_while_there_is_no_server(begin: Begin) -> None:
    """It is heard, and the next server is told of it, in its place."""
    async with begin(
        replies("One.", "Two."), own_voice=Tones(), provider=BY_HAND, reconnect=Backoff(first=0.5, luck=lambda: 1.0)
    ) as talk:
        talk.sink.play_all()
        await (await talk.ask("First?")).done()
        await talk.wire.close(1001, "bye")
        await talk.reaches("link", "reconnecting")
        [said] = await (await talk.say(WORDS)).done()
        assert len(talk.server.sessions) == 1
        await talk.connected(2)
        await (await talk.ask("Second?")).done()
        await talk.session.quiet()
        assert [text for _, text in told(talk)] == ["First?", "One.", said.heard_text, "Second?", "Two."]


async def test_it_is_written_down_and_told_to_the_next_server(begin: Begin) -> None:
    async with begin(replies(STORY), own_voice=Tones(), provider=BY_HAND, journal=MemoryJournal()) as talk:
        reply = await talk.say(WORDS)
        await talk.sink.play(length(FIRST) + 550)
        await talk.session.interrupt()
        await reply.done()
        await lose(talk)
        await talk.session.quiet()
        assert told(talk) == [("assistant", FIRST + "Please")]


async def test_what_the_user_says_meanwhile_stands_behind_it(begin: Begin) -> None:
    async with begin(replies(STORY), own_voice=Tones()) as talk:
        reply = await talk.say(WORDS)
        await talk.sink.play(length(FIRST))
        await talk.session.add("A note.")
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert told(talk) == [("assistant", WORDS), ("user", "A note.")]


# ------------------------------------------------------------------------------------ text of the server's, spoken


TEXT = "The list has four entries. The last of them is the longest one."


async def test_text_is_spoken_sentence_by_sentence_as_it_comes(begin: Begin) -> None:
    gate = Gate()
    script = replies(Write(text=TEXT, gate=gate, gate_at=len("The list has four entries. The")))
    async with begin(script, own_voice=Tones(), provider=BY_HAND) as talk:
        reply = await talk.ask()
        await talk.sink.play(length("The list has four entries. "))  # heard before the rest is written
        gate.open()
        talk.sink.play_all()
        [said] = await reply.done()
        await talk.session.quiet()
        assert (said.heard_text, said.heard_ms) == (TEXT, length(TEXT))
        assert told(talk)[1:] == [("assistant", TEXT)]
    assert [event.number for event in talk.events if isinstance(event, SpeechWanted)] == [0, 1]
    assert not [event for event in talk.events if isinstance(event, MessageShown)]


async def test_text_that_was_spoken_is_written_anew_as_it_was_heard(begin: Begin) -> None:
    async with begin(replies(Write(text=TEXT), STORY), own_voice=Tones()) as talk:
        await talk.ask()
        await talk.sink.play(length("The list has four entries. The last") + 40)
        await talk.speak()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.generated_text) == ("The list has four entries. The last", TEXT)
        assert [item.text for item in talk.items("assistant")] == [said.heard_text]
        assert not talk.sent("conversation.item.truncate")
        assert len(talk.sent("conversation.item.delete")) == 1


async def test_less_than_a_word_is_nothing(begin: Begin) -> None:
    """A server of text can't keep a part of a word."""
    async with begin(replies(Write(text=TEXT)), own_voice=Tones(), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.sink.play(100)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert (talk.said(), talk.items("assistant")) == ([], [])


async def test_several_of_them_and_what_the_server_speaks(begin: Begin) -> None:
    script = replies([Write(text="One. Two."), Say(text=STORY), Write(text="Three.")])
    async with begin(script, own_voice=Tones()) as talk:
        talk.sink.play_all()
        await (await talk.ask()).done()
        assert [said.heard_text for said in talk.said()] == ["One. Two.", STORY, "Three."]
        assert [ms for _, ms in talk.heard()] == [length("One. Two."), length(STORY), length("Three.")]


async def test_a_voice_that_fails_is_shown_instead(begin: Begin) -> None:
    async def fails(text: str) -> None:
        if text.startswith("The last"):
            raise ConnectionResetError("the service is gone")

    async with begin(replies(Write(text=TEXT)), own_voice=Tones(before=fails), provider=BY_HAND) as talk:
        talk.sink.play_all()
        [said] = await (await talk.ask()).done()
        await talk.session.quiet()
        assert said.heard_text == TEXT
        assert said.heard_ms == length("The list has four entries. ")
        problem = await talk.tells(Problem)
        assert problem.message.endswith("could not be spoken, and is shown: ConnectionResetError: the service is gone")
    assert [*talk.shown().values()] == ["The last of them is the longest one."]


async def test_a_voice_that_hangs_is_given_up(begin: Begin) -> None:
    async def hangs(_text: str) -> None:
        await anyio.sleep_forever()

    deadlines = Deadlines(voice=0.2)
    async with begin(replies(STORY), own_voice=Tones(before=hangs), deadlines=deadlines) as talk:
        [said] = await (await talk.say(WORDS)).done()
        assert (said.heard_text, said.heard_ms) == (WORDS, 0)
        assert "the voice gave nothing for 0.2 s" in (await talk.tells(Problem)).message
        await talk.session.quiet()
        assert told(talk) == [("assistant", WORDS)]
    assert [*talk.shown().values()] == [WORDS]


async def test_interrupted_it_is_asked_for_no_more(begin: Begin) -> None:
    asked: list[str] = []
    hold = anyio.Event()

    async def slow(text: str) -> None:
        asked.append(text)
        if len(asked) > 1:
            hold.set()
            await anyio.sleep_forever()

    async with begin(replies(STORY), own_voice=Tones(before=slow), provider=BY_HAND) as talk:
        reply = await talk.say(WORDS + " And more. And more.")
        await talk.sink.play(500)
        await hold.wait()
        await talk.session.interrupt()
        await reply.done()
        assert reply.interrupted
    assert asked == [FIRST, "Please hold the line. "]


def test_a_voice_has_to_fit_the_sink() -> None:
    with pytest.raises(ConfigurationError, match="the voice speaks at 16000 Hz, but the sink plays at 24000 Hz"):
        Session(OpenAIRealtime(api_key=""), sink=MemorySink(), voice=Tones(rate=16_000))


async def test_an_app_has_more_to_say_than_a_server_may(begin: Begin) -> None:
    """It waits for its turn, as requests do: the bound is one of what others may put upon us."""
    bounds = Bounds(open=2, events=ALL_EVENTS)
    async with begin(replies(STORY), provider=BY_HAND, own_voice=Tones(), bounds=bounds) as talk:
        await talk.session.pause()
        said = [await talk.say(words) for words in ("One.", "Two.", "Three.", "Four.")]
        asked = await talk.ask()
        await asked.started()
        await talk.session.unpause()
        talk.sink.play_all()
        assert [(await reply.done())[0].heard_text for reply in said] == ["One.", "Two.", "Three.", "Four."]
        await asked.done()
        await talk.session.quiet()
