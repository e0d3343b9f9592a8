"""Recognisers: scripted, and PocketSphinx in a process that ends with its server."""

import os
import subprocess
import sys
from contextlib import suppress

import anyio
import pytest
from anyio.abc import Process

from rtactors.errors import ConfigurationError
from rtactors.loopback import recognizer_process
from rtactors.loopback.recognizer import Pocketsphinx, RecognitionFailed, Scripted
from rtactors.loopback.script import STORY_PHRASES
from rtactors.loopback.server import Server
from rtactors.loopback.voice import EspeakVoice, ToneVoice
from tests.loopback.client import silence

pytestmark = pytest.mark.anyio


def process_of(recognizer: Pocketsphinx) -> Process:
    process = recognizer._process  # pyright: ignore[reportPrivateUsage] - a leak is looked for from the inside
    assert process is not None
    return process


async def test_scripted_texts_come_in_their_order_and_the_last_again() -> None:
    async with Scripted("one", "two") as recognizer:
        assert [await recognizer.transcribe(b"") for _ in range(3)] == ["one", "two", "two"]


def test_phrases_become_a_grammar_of_bare_words() -> None:
    rules = recognizer_process.grammar(["Wait, who's Ada?", "...", "Stop!"]).splitlines()
    assert rules[-1] == "public <phrase> = wait who's ada | stop;"


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr("rtactors.loopback.recognizer.find_spec", nothing)
    with pytest.raises(ConfigurationError, match=r'pip install "rtactors\[speech\]"'):
        Pocketsphinx()


@pytest.mark.speech
@pytest.mark.sockets
@pytest.mark.parametrize("name", ["en-us", "en", "en-us+f3", "en-us+m3"])
async def test_phrases_are_heard(name: str) -> None:
    voice = EspeakVoice(name, words_a_minute=150)
    async with Pocketsphinx(STORY_PHRASES) as recognizer:
        for phrase in STORY_PHRASES:
            speech = await voice.speak(phrase)
            assert await recognizer.transcribe(silence(200) + speech.pcm + silence(500)) == phrase
        assert await recognizer.transcribe(silence(500)) in {"", *STORY_PHRASES}
        assert isinstance(await recognizer.transcribe(b""), str)


@pytest.mark.speech
@pytest.mark.sockets
async def test_free_speech_is_heard_more_or_less() -> None:
    speech = await EspeakVoice("en-us+f3").speak("Actually, no.")
    async with Pocketsphinx() as recognizer:
        heard = await recognizer.transcribe(silence(200) + speech.pcm + silence(500))
        assert "no" in heard.split()


@pytest.mark.speech
@pytest.mark.sockets
async def test_many_at_once_get_each_their_own_answer() -> None:
    voice = EspeakVoice("en-us+f3")
    heard: dict[str, str] = {}

    async def listen(phrase: str) -> None:
        heard[phrase] = await recognizer.transcribe(silence(200) + (await voice.speak(phrase)).pcm + silence(500))

    phrases = ("tell me a story", "why did she sing", "what happened then")
    async with Pocketsphinx(phrases) as recognizer, anyio.create_task_group() as tasks:
        for phrase in phrases:
            tasks.start_soon(listen, phrase)
    assert heard == {phrase: phrase for phrase in phrases}


@pytest.mark.speech
@pytest.mark.sockets
async def test_a_cancelled_request_does_not_confuse_the_next() -> None:
    voice = EspeakVoice("en-us+f3")
    phrases = ("tell me a story", "why did she sing")
    first, second = [silence(200) + (await voice.speak(phrase)).pcm + silence(500) for phrase in phrases]
    async with Pocketsphinx(phrases) as recognizer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recognizer.transcribe, first)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert await recognizer.transcribe(second) == "why did she sing"


@pytest.mark.speech
@pytest.mark.sockets
@pytest.mark.parametrize("how", ["left", "cancelled", "raised"])
async def test_the_process_ends_with_the_server(how: str) -> None:
    recognizer = Pocketsphinx(["stop"])
    processes: list[Process] = []

    async def serve() -> None:
        async with Server(voice=ToneVoice(), recognizer=recognizer):
            processes.append(process_of(recognizer))
            os.kill(processes[0].pid, 0)
            match how:
                case "cancelled":
                    scope.cancel()
                    await anyio.sleep_forever()
                case "raised":
                    raise ZeroDivisionError
                case _:
                    pass

    with anyio.CancelScope() as scope, suppress(ZeroDivisionError):
        await serve()
    (process,) = processes
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    with pytest.raises(RecognitionFailed, match="has not been started"):
        await recognizer.transcribe(b"")


@pytest.mark.speech
@pytest.mark.sockets
async def test_a_process_that_dies_is_told_and_is_not_the_end() -> None:
    async with Pocketsphinx(["stop"]) as recognizer:
        process = process_of(recognizer)
        process.kill()
        await process.wait()
        with pytest.raises(RecognitionFailed, match="process has ended"):
            await recognizer.transcribe(silence(500))


@pytest.mark.speech
def test_the_process_runs_alone_and_ends_with_its_input() -> None:
    done = subprocess.run([sys.executable, "-I", recognizer_process.__file__, "stop"], input=b"", check=False)
    assert done.returncode == 0
