"""What a session lets be heard, in its subtitles: at the time at which it was, to the word at which it was stopped."""

from pathlib import Path

import anyio
import pytest
from webvtt import WebVTT

from rtactors import Session
from rtactors.loopback.script import IMMEDIATE, replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import PacedSink
from rtactors.subtitles import SubtitleFile

pytestmark = pytest.mark.anyio

FIRST = "Once upon a time there was a lighthouse."
SECOND = "Ada kept it. Every evening she counted the ships."
MS_PER_CHARACTER = 100


@pytest.mark.parametrize("mark", ["", " —"])
async def test_pauses_are_in_it_and_what_was_cut_off_is_not(tmp_path: Path, mark: str) -> None:
    server = MemoryServer(replies([FIRST, SECOND]), voice=ToneVoice(MS_PER_CHARACTER), timing=IMMEDIATE)
    file = tmp_path / "call.vtt"
    began, heard = 0.0, list[str]()
    async with server, anyio.create_task_group() as tasks:
        session = Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=server.connect, cut_mark=mark)

        async def write() -> None:
            with SubtitleFile(file, began=0.0) as subtitles:
                async for caption in session.captions():
                    subtitles.write(caption)

        tasks.start_soon(write)
        async with session:
            reply = await session.ask("Tell me a story.")
            await reply.started()
            began = anyio.current_time()
            await anyio.sleep(1)
            await session.pause()
            await anyio.sleep(10)
            await session.unpause()
            await anyio.sleep(len(FIRST + SECOND[:24]) * MS_PER_CHARACTER / 1000 - 1)
            await session.interrupt()
            await session.quiet()
            heard = [message.heard_text for message in session.history if message.role == "assistant"]
    cues = WebVTT.read(str(file), strict=True).captions
    assert heard[0] == FIRST
    assert SECOND.startswith(heard[1].removesuffix(mark))
    assert 4 <= len(heard[1].split()) <= 6
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == " ".join(heard)
    assert cues[-1].text.endswith(mark)
    first, second = cues[:2]  # before the pause, and after it
    assert abs(first.start_time.in_milliseconds() - round(began * 1000)) <= 2000
    assert second.start_time.in_milliseconds() - first.end_time.in_milliseconds() >= 9_000
    assert cues[-1].end_time.in_milliseconds() <= round((began + 10) * 1000) + len(FIRST + SECOND) * MS_PER_CHARACTER
