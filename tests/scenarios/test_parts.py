"""Messages of several content parts, and audio without any text: each part is heard, cut and recorded as what it is."""

from typing import Any

import pytest

from rtactors.journal import MemoryJournal
from rtactors.loopback.faults import Faults, ignore
from rtactors.loopback.script import Gate, Parts, Say, Write, replies
from rtactors.session_events import AgentSaid, MessageShown, Problem
from rtactors.testing.conversation import MS_PER_CHARACTER
from rtactors.testing.voice import Tones
from tests.scenarios.conftest import Begin
from tests.scenarios.test_reconnect import BY_HAND, lose, told

ONE, TWO = "First of all, good morning. ", "Then there is something else."
LIST = "Milk, bread, butter. "

pytestmark = pytest.mark.anyio


def length(text: str) -> int:
    """In ms."""
    return len(text) * MS_PER_CHARACTER


def parts(*given: Say | Write) -> Any:
    return replies(Parts(parts=given, phase="final_answer"), "And so on.")


SHAPES = {
    "text and audio": (Write(text=LIST), Say(text=ONE)),
    "audio and text": (Say(text=ONE), Write(text=LIST)),
    "two texts": (Write(text=LIST), Write(text=TWO)),
    "two audios": (Say(text=ONE), Say(text=TWO)),
    "audio, text, audio": (Say(text=ONE), Write(text=LIST), Say(text=TWO)),
    "late words": (Say(text=ONE, transcript="late"), Say(text=TWO, transcript="late")),
    "an empty one": (Write(text=""), Say(text=ONE), Write(text="")),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_heard_in_full(begin: Begin, shape: str) -> None:
    """Its text is that of its parts, each once, in their order; all of it is heard, and nothing is corrected."""
    text = "".join(part.text for part in SHAPES[shape])
    sound = "".join(part.text for part in SHAPES[shape] if isinstance(part, Say))
    async with begin(parts(*SHAPES[shape])) as talk:
        talk.sink.play_all()
        [said] = await (await talk.ask()).done()
        await talk.session.quiet()
        assert (said.heard_text, said.generated_text, said.interrupted) == (text, text, False)
        assert (said.heard_ms, said.generated_ms, said.phase) == (length(sound), length(sound), "final_answer")
        assert [(item.text, item.audio_ms) for item in talk.items("assistant")] == [(text, length(sound))]
        assert not [each for each in talk.log.received if each.type.endswith((".truncate", ".delete"))]
    assert "".join(talk.shown().values()) == "".join(part.text for part in SHAPES[shape] if isinstance(part, Write))


CUTS: dict[str, tuple[tuple[Say | Write, ...], int, tuple[int, int] | None, str]] = {
    # The parts, how much is heard; where the server is cut (part, ms), or None if it is written anew; what was heard.
    "in the audio behind a text": ((Write(text=LIST), Say(text=ONE)), 600, (1, 600), LIST + "First of"),
    "in the audio before a text": ((Say(text=ONE), Write(text=LIST)), 600, (0, 600), "First of" + LIST),
    "in the second audio": ((Say(text=ONE), Say(text=TWO)), length(ONE) + 600, (1, 600), ONE + "Then there"),
    "in the first audio": ((Say(text=ONE), Say(text=TWO)), 600, None, "First of"),
    "just between them": ((Say(text=ONE), Say(text=TWO)), length(ONE), None, ONE),
}


@pytest.mark.parametrize("where", CUTS)
async def test_cut(begin: Begin, where: str) -> None:
    """The part in which it was stopped is cut, if that is all; else the server is told what was heard."""
    shape, heard_ms, cut, heard = CUTS[where]
    async with begin(parts(*shape)) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(heard_ms)
        await talk.speak()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.heard_ms, said.interrupted) == (heard, heard_ms, True)
        cuts = [(each["content_index"], each["audio_end_ms"]) for each in talk.sent("conversation.item.truncate")]
        assert cuts == ([cut] if cut else [])
        assert len(talk.sent("conversation.item.delete")) == (0 if cut else 1)
        assert [item.audio_ms for item in talk.items("assistant")] == [heard_ms if cut else 0]
        if not cut:
            assert [item.text for item in talk.items("assistant")] == [heard]
        await lose(talk)
        await talk.session.quiet()
        assert told(talk)[1] == ("assistant", heard)


async def test_shown_before_its_audio_is_there(begin: Begin) -> None:
    """Interrupted between the two: what was shown stays."""
    gate = Gate()
    async with begin(parts(Write(text=LIST), Say(text=ONE, gate=gate)), provider=BY_HAND) as talk:
        reply = await talk.ask()
        await talk.tells(MessageShown)
        while "".join(talk.shown().values()) != LIST:
            await talk.tells(MessageShown, 1 + sum(isinstance(each, MessageShown) for each in talk.events))
        await talk.session.interrupt(reply)
        await reply.done()
        await talk.session.quiet()
        [said] = talk.said()
        assert (said.heard_text, said.heard_ms, said.interrupted) == (LIST, 0, True)
        assert [item.text for item in talk.items("assistant")] == [LIST]


async def test_one_more_part_after_the_cut(begin: Begin) -> None:
    """All that there was had been heard, and the server made another part before it stopped."""
    gate = Gate()
    script = parts(Say(text=ONE), Say(text=TWO, gate=gate))
    async with begin(script, provider=BY_HAND, faults=Faults(ignore("response.cancel"))) as talk:
        reply = await talk.ask()
        await talk.sink.play(length(ONE))
        await gate.reached.wait()
        await talk.session.interrupt()
        await talk.reaches("message", "partial")
        gate.open()
        await reply.done()
        await talk.session.quiet()
        [said] = talk.said()
        assert ONE.startswith(said.heard_text)  # nobody knew that it was all that belongs to this audio
        assert said.heard_ms == length(ONE)
        assert [(item.text, item.audio_ms) for item in talk.items("assistant")] == [(said.heard_text, 0)]


async def test_all_of_them_spoken_by_a_voice(begin: Begin) -> None:
    """Two texts are two sentences, also if the first has no end."""
    async with begin(parts(Write(text="One"), Write(text=TWO)), own_voice=Tones(), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.sink.play(900)
        await talk.session.interrupt()
        await talk.session.quiet()
        assert [item.text for item in talk.items("assistant")] == ["OneThen there"]


@pytest.mark.parametrize("heard_ms", [300, length(LIST), length(LIST) + 600, length(LIST + ONE) + 600])
async def test_a_voice_speaks_between_what_the_server_speaks(begin: Begin, heard_ms: int) -> None:
    """In the order of the parts, though the server's audio is there long before."""
    shape = (Write(text=LIST), Say(text=ONE), Write(text="That is all of it."))
    async with begin(parts(*shape), own_voice=Tones(), provider=BY_HAND) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(heard_ms)
        await talk.session.interrupt()
        await talk.session.quiet()
        [said] = talk.said()
        end = heard_ms // MS_PER_CHARACTER
        assert (LIST + ONE + "That is all of it.")[:end].startswith(said.heard_text.strip())
        assert len(said.heard_text) > end - 12
        assert said.heard_ms == heard_ms
        assert [(item.text, item.audio_ms) for item in talk.items("assistant")] == [(said.heard_text, 0)]


# ------------------------------------------------------------------------------------------------ audio without text


async def test_audio_without_text_is_heard_cut_and_written_down(begin: Begin) -> None:
    script = replies([Say(text=ONE, transcript="none"), Say(text=TWO, transcript="none")])
    async with begin(script, provider=BY_HAND, journal=MemoryJournal(), ms_per_character=None) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(length(ONE) + 400)
        await talk.session.interrupt()
        await talk.session.quiet()
        first, second = talk.said()
        assert (first.heard_text, first.heard_ms, first.interrupted) == ("", length(ONE), False)
        assert (second.heard_text, second.heard_ms, second.interrupted) == ("", 400, True)
        assert talk.held() == talk.heard() == [(first.id, length(ONE)), (second.id, 400)]
        await lose(talk)  # nobody can tell the next server what it was
        await talk.session.quiet()
        assert told(talk) == [("user", "Tell me a story.")]
        problem = await talk.tells(Problem, 2)
        assert problem.message.endswith(f"is not told of {second.id}: its words are not known (is transcription on?)")
    assert len([event for event in talk.events if isinstance(event, AgentSaid)]) == 2


async def test_two_audios_without_text_cut_in_the_first(begin: Begin) -> None:
    """Nothing can be written anew: the part in which it was stopped is cut."""
    async with begin(
        parts(Say(text=ONE, transcript="none"), Say(text=TWO, transcript="none")), ms_per_character=None
    ) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.sink.play(length(ONE) + 500)
        await talk.speak()
        await talk.session.quiet()
        [cut] = talk.sent("conversation.item.truncate")
        assert (cut["content_index"], cut["audio_end_ms"]) == (1, 500)
