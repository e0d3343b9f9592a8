"""What livekit-agents' transcript synchronizer holds for heard, as its voice pipeline uses it, by its default settings.

    python livekit_side.py JOBS [--real]      # in an environment of its own: locks/livekit-agents.txt

JOBS is a file of JSON lines, one `Job` each; so is what it prints: of each job a list of transcripts, and at last the
CPU time of all, and the version. The synchronizer works by the clock. It gets a virtual one, in which an hour takes
minutes and no busy machine disturbs it; `--real` is to see that this changes nothing.
"""
# pyright: basic, reportMissingImports=false
# (its packages are not installed where we are checked)

import argparse
import asyncio
import json
import sys
import time
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import TypedDict

from livekit import rtc
from livekit.agents import tokenize
from livekit.agents.voice import io
from livekit.agents.voice.transcription import synchronizer as livekit

AT_ONCE = 6
"""How many jobs have the real clock at a time: they share one thread, and shall not wait for each other."""


class Job(TypedDict):
    pcm: str
    """A file."""
    rate: int
    arrivals: list[tuple[float, str, int]]
    """In order: ms since playback began, text, bytes of audio."""
    cuts_ms: list[int]


class Device(io.AudioOutput):
    """Plays by the loop's clock what it gets, from the first frame on, until it is cleared."""

    def __init__(self, clock: SimpleNamespace) -> None:
        super().__init__(label="device", capabilities=io.AudioOutputCapabilities(pause=False))
        self._clock = clock
        self._started: float | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._started is None:
            self._started = self._clock.time()
            self.on_playback_started(created_at=self._started)

    def flush(self) -> None:
        super().flush()

    def clear_buffer(self) -> None:
        if self._started is not None:
            self.on_playback_finished(playback_position=self._clock.time() - self._started, interrupted=True)


async def play(job: Job, clock: SimpleNamespace) -> list[str]:
    """The transcript at each cut; at the last one the message is interrupted, and this is what history gets."""
    synchronizer = livekit.TranscriptSynchronizer(next_in_chain_audio=Device(clock), next_in_chain_text=None)
    text_output, audio_output = synchronizer.text_output, synchronizer.audio_output
    pcm = Path(job["pcm"]).read_bytes()  # noqa: ASYNC240 - before its time begins
    texts = sum(bool(text) for _, text, _ in job["arrivals"])
    taken = 0
    transcripts: list[str] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    cuts = [(float(cut_ms), "", 0) for cut_ms in job["cuts_ms"]]
    for at_ms, text, size in sorted([*job["arrivals"], *cuts], key=lambda moment: moment[0]):
        await asyncio.sleep(began + at_ms / 1000 - loop.time())
        if text:
            await text_output.capture_text(text)
            texts -= 1
            if not texts:
                text_output.flush()
        elif size:
            piece = pcm[taken : taken + size]
            await audio_output.capture_frame(rtc.AudioFrame(piece, job["rate"], 1, size // 2))
            taken += size
            if taken == len(pcm):
                audio_output.flush()
        else:
            transcripts.append(synchronizer._impl.synchronized_transcript)  # noqa: SLF001 - so as not to interrupt it
            if len(transcripts) == len(cuts):
                break
    if texts:
        text_output.flush()
    if taken < len(pcm):
        audio_output.flush()
    audio_output.clear_buffer()
    interrupted = await audio_output.wait_for_playout()
    assert interrupted.synchronized_transcript == transcripts[-1]
    await synchronizer.aclose()
    return transcripts


def virtual_loop() -> asyncio.AbstractEventLoop:
    """The loop that our tests run on. Its file stands alone, so that rtactors isn't needed here."""
    spec = spec_from_file_location("clock", Path(__file__).parents[2] / "rtactors" / "testing" / "clock.py")
    assert spec
    assert spec.loader
    spec.loader.exec_module(clock := module_from_spec(spec))
    return clock.VirtualLoop()


async def run(jobs: list[Job], *, real: bool) -> None:
    clock = SimpleNamespace(time=time.time)
    tokenize.basic.hyphenate_word("warm")  # reads its patterns at the first word, which takes a while
    if real:
        places = asyncio.Semaphore(AT_ONCE)

        async def take_place(job: Job) -> list[str]:
            async with places:
                return await play(job, clock)

        answers = await asyncio.gather(*map(take_place, jobs))
    else:
        clock = livekit.time = SimpleNamespace(time=asyncio.get_running_loop().time)
        answers = [await play(job, clock) for job in jobs]
    for answer in answers:
        print(json.dumps(answer))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", type=Path)
    parser.add_argument("--real", action="store_true", help="by the real clock")
    options = parser.parse_args()
    jobs: list[Job] = [json.loads(line) for line in options.jobs.read_text("utf-8").splitlines()]
    began = time.process_time()
    with asyncio.Runner(loop_factory=None if options.real else virtual_loop) as runner:
        runner.run(run(jobs, real=options.real))
    json.dump({"cpu_s": time.process_time() - began, "version": version("livekit-agents")}, sys.stdout)


if __name__ == "__main__":
    main()
