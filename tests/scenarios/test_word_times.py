"""Word times: where a server tells them, captions and heard text are where its voice is; else within a word of it."""

import math
from bisect import bisect_right
from importlib.util import find_spec
from typing import Any

import pytest

from rtactors.loopback.script import Say, Timing, replies
from rtactors.loopback.voice import EspeakVoice, Speech, ToneVoice, Voice, Word
from rtactors.session_events import Caption, CaptionsEnded
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import Conversation, conversation
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

STORY = (
    "Ada kept an old lighthouse, far out, where nobody came. Every evening she counted ships, wrote them down, "
    "and sang until morning. Nobody ever heard her sing."
)
NEAR_MS = 2
"""What rounding may cost."""
SPOKEN = [
    pytest.mark.speech,
    pytest.mark.sockets,  # real time: the voice works in a thread
    pytest.mark.skipif(not find_spec("espeakng_loader"), reason='a real voice needs the extra "speech"'),
]


class Limping:
    """A voice whose pace no estimate knows: the longer a word is, the quicker it is spoken."""

    async def speak(self, text: str) -> Speech:
        pcm, words = b"", list[Word]()
        for word in (await ToneVoice().speak(text)).words:
            words.append(Word(word.text, len(pcm) // 48))
            tone = await ToneVoice(40).speak("-" * max(2, 20 - 2 * len(word.text)))
            pcm += tone.pcm
        return Speech(pcm, tuple(words))


async def truth(voice: Voice) -> tuple[list[str], list[int], int]:
    """The words of the story, when each begins, and when the last one is over, in ms."""
    speech = await voice.speak(STORY)
    return [word.text for word in speech.words], [word.at_ms for word in speech.words], len(speech.pcm) // 48


def captions(talk: Conversation) -> list[Caption]:
    return [event for event in talk.events if isinstance(event, Caption)]


async def heard_until(talk: Conversation, ms: int) -> str:
    """What stands in the history of the one message, stopped there."""
    reply = await talk.ask()
    await talk.sink.play(ms)
    await talk.session.interrupt()
    [message] = await reply.done()
    assert message.heard_ms == ms
    return message.heard_text


async def check_captions(talk: Conversation, voice: Voice) -> None:
    talk.sink.play_all()
    await (await talk.ask()).done()
    ended = await talk.tells(CaptionsEnded)
    texts, starts, over = await truth(voice)
    told = captions(talk)
    assert [caption.text for caption in told] == texts
    assert [caption.start_ms for caption in told] == pytest.approx(starts, abs=NEAR_MS)
    assert all(caption.end_ms <= end + NEAR_MS for caption, end in zip(told, [*starts[1:], over], strict=True))
    assert not any(caption.estimated for caption in told)
    assert (ended.words, ended.text) == (tuple(told), STORY)


async def test_captions_are_where_the_server_says(begin: Begin) -> None:
    async with begin(replies(STORY), voice=Limping(), word_times=True, ms_per_character=None) as talk:
        await check_captions(talk, Limping())


@pytest.mark.parametrize("words", [1, 2, 9, 24])
async def test_heard_text_ends_where_the_server_says(begin: Begin, words: int) -> None:
    """When the next one has just begun, which is then not heard."""
    texts, starts, _ = await truth(Limping())
    ms = starts[words] + 20
    async with begin(replies(STORY), voice=Limping(), word_times=True, ms_per_character=None) as talk:
        assert await heard_until(talk, ms) == "".join(texts[:words])


@pytest.mark.parametrize(
    "lead_ms", [math.inf, 1000, 0, -200, -1500, -math.inf], ids=["first", "ahead", "with", "behind", "trailing", "last"]
)
async def test_whenever_the_text_comes_the_words_are_where_the_server_says(lead_ms: float) -> None:
    """And heard text waits for it. The audio is no faster than it is heard."""
    script = replies(Say(text=STORY, lead_ms=lead_ms))
    options: dict[str, Any] = {"voice": Limping(), "timing": Timing(speed=1.0), "ms_per_character": None}
    async with conversation(script, sink=PacedSink(), word_times=True, slack_ms=1, **options) as talk:
        reply = await talk.ask()
        [message] = await reply.done()
        await talk.tells(CaptionsEnded)
        texts, starts, _ = await truth(Limping())
        assert message.heard_text == STORY
        assert [(caption.text, caption.start_ms) for caption in captions(talk)] == [*zip(texts, starts, strict=True)]


class TestRealVoice:
    pytestmark = SPOKEN

    async def test_captions_are_where_it_says(self) -> None:
        async with conversation(
            replies(STORY), sockets=True, voice=EspeakVoice(), word_times=True, ms_per_character=None
        ) as talk:
            await check_captions(talk, EspeakVoice())

    @pytest.mark.parametrize("at", [0.15, 0.4, 0.62, 0.9])
    async def test_heard_text_ends_with_the_word_that_it_says(self, at: float) -> None:
        texts, starts, over = await truth(EspeakVoice())
        ms = int(over * at)
        async with conversation(
            replies(STORY), sockets=True, voice=EspeakVoice(), word_times=True, ms_per_character=None
        ) as talk:
            assert await heard_until(talk, ms) == "".join(texts[: bisect_right(starts, ms) - 1])

    @pytest.mark.parametrize("at", [0.15, 0.4, 0.62, 0.9])
    async def test_without_word_times_it_is_within_a_word(self, at: float) -> None:
        texts, starts, over = await truth(EspeakVoice())
        ms = int(over * at)
        async with conversation(replies(STORY), sockets=True, voice=EspeakVoice(), ms_per_character=None) as talk:
            heard = await heard_until(talk, ms)
            assert all(caption.estimated for caption in captions(talk))
        words = bisect_right(starts, ms) - 1
        assert heard in {"".join(texts[:count]) for count in (words - 1, words, words + 1)}
