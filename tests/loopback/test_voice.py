"""Voices: what they say is as long as it should be, always the same, and each word has its time."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from rtactors import espeak
from rtactors.errors import ConfigurationError
from rtactors.loopback.vad import level_db
from rtactors.loopback.voice import EspeakVoice, Speech, ToneVoice

SENTENCE = "Once upon a time, there were 42 ships by the sea."
"""A number is several words to a voice."""


def check_words(speech: Speech, text: str) -> None:
    assert "".join(word.text for word in speech.words) == text
    times = [word.at_ms for word in speech.words]
    assert times == sorted(times)
    assert not text.strip() or times[0] == 0
    assert all(at_ms <= len(speech.pcm) // 48 for at_ms in times)


@pytest.mark.anyio
@pytest.mark.parametrize("text", [SENTENCE, "", " ", "Hm", " two  words ", "Tromsø 日本"])
async def test_a_tone_for_each_character(text: str) -> None:
    speech = await ToneVoice(ms_per_char=20).speak(text)
    assert len(speech.pcm) == len(text) * 20 * 48
    check_words(speech, text)


@pytest.mark.anyio
async def test_tones_tell_texts_apart_and_pieces_lost_or_doubled() -> None:
    one, other = (await ToneVoice().speak("Some text.")).pcm, (await ToneVoice().speak("Same text.")).pcm
    assert one == (await ToneVoice().speak("Some text.")).pcm
    assert len(one) == len(other)
    assert one != other
    for delta_ms in (10, 20, 40, 100, 200):
        assert one[: len(one) - delta_ms * 48] != one[delta_ms * 48 :]
    assert -20 < level_db(one) < -6


@pytest.mark.speech
@pytest.mark.sockets  # real time: the voice works in a thread
@pytest.mark.anyio
class TestEspeak:
    async def test_it_speaks(self) -> None:
        speech = await EspeakVoice().speak(SENTENCE)
        check_words(speech, SENTENCE)
        assert 2000 < len(speech.pcm) / 48 < 5000
        assert -35 < level_db(speech.pcm) < -6
        assert len({word.at_ms for word in speech.words}) >= 8

    async def test_what_was_said_once_is_kept(self) -> None:
        first = await EspeakVoice().speak(SENTENCE)
        await EspeakVoice().speak("Something else.")
        assert await EspeakVoice().speak(SENTENCE) is first

    async def test_voices_and_rates_differ(self) -> None:
        usual = await EspeakVoice().speak(SENTENCE)
        assert len((await EspeakVoice(words_a_minute=100).speak(SENTENCE)).pcm) > 1.3 * len(usual.pcm)
        assert (await EspeakVoice("en-us+f3").speak(SENTENCE)).pcm != usual.pcm

    async def test_many_at_once(self) -> None:
        said: dict[str, Speech] = {}

        async def speak(voice: str, text: str) -> None:
            said[text] = await EspeakVoice(voice).speak(text)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(speak, ("en-us", "en")[number % 2], "word " * (number + 1))
        lengths = [len(said["word " * (number + 1)].pcm) for number in range(20)]
        assert lengths[0::2] == sorted(lengths[0::2])
        assert lengths[1::2] == sorted(lengths[1::2])

    async def test_nothing_is_short(self) -> None:
        assert len((await EspeakVoice().speak("")).pcm) < 100 * 48


@pytest.mark.speech
def test_an_unknown_voice_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match="no voice 'martian': try en-us"):
        EspeakVoice("martian")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak.library.cache_clear()
    with pytest.raises(ConfigurationError, match=r'pip install "rtactors\[speech\]"'):
        EspeakVoice()


def test_no_module_of_the_server_imports_an_extra_at_its_top() -> None:
    late = {"espeakng_loader", "numpy", "pocketsphinx", "trio"}
    code = f"import sys, rtactors.loopback.server; print(*({late} & sys.modules.keys()))"
    root = Path(__file__).parent.parent.parent
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True).split() == []
