"""eSpeak NG as a session's voice: in real time, with the library itself."""

import pytest

from rtactors import ConfigurationError
from rtactors.loopback.script import Write, replies
from rtactors.testing.conversation import conversation
from rtactors.voices import EspeakVoice, Voice

pytestmark = [pytest.mark.anyio, pytest.mark.speech, pytest.mark.sockets]  # real time: it works in a thread

TEXT = "It rains in Oslo. Take an umbrella, and your boots."


async def pcm_of(voice: Voice, text: str) -> bytes:
    return b"".join([piece async for piece in voice.speak(text)])


async def test_it_speaks_at_the_rate_that_is_wanted() -> None:
    fast, slow = EspeakVoice(), EspeakVoice(rate=16_000)
    assert (fast.rate, slow.rate) == (24_000, 16_000)
    one, other = len(await pcm_of(fast, TEXT)) / 24, len(await pcm_of(slow, TEXT)) / 16
    assert 2000 < one / 2 < 6000  # ms
    assert abs(one - other) < 400


async def test_it_is_a_voice() -> None:
    assert isinstance(EspeakVoice(), Voice)
    with pytest.raises(ConfigurationError, match="no voice 'martian'"):
        EspeakVoice("martian")


async def test_a_conversation_of_text_is_heard() -> None:
    """And interrupted: the server keeps the words that were heard."""
    script = replies(Write(text=TEXT), Write(text="Good bye."))
    by_hand = {"turn_detection": None}
    async with conversation(
        script, sockets=True, own_voice=EspeakVoice(), provider=by_hand, ms_per_character=None
    ) as talk:
        await talk.say("This call is recorded.")
        reply = await talk.ask()
        await talk.sink.play(3000)
        await talk.session.interrupt()
        await reply.done()
        await talk.session.quiet()
        assert talk.said()[0].heard_text == "This call is recorded."
        assert TEXT.startswith(talk.said()[1].heard_text)
        assert [item.text for item in talk.items("assistant")] == [each.heard_text for each in talk.said()]
