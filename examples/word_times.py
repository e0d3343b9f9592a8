"""An aligner: a voice that knows when it speaks each word, so that captions and the heard text need no estimate.

    python examples/word_times.py

Many services of speech tell with their audio where each word is in it. This voice keeps what its service says of each
sentence, and is the session's aligner too: it looks a text up, and estimates what it has not spoken yet.
"""

import re
from array import array
from collections.abc import AsyncIterator, Sequence

import anyio

from rtactors import Session
from rtactors.alignment import Alignment, SpeechAligner, Word
from rtactors.loopback.script import Write, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import Caption
from rtactors.sinks import PacedSink

RATE = 24_000


async def synthesize(text: str) -> tuple[bytes, list[Word]]:
    """In place of a service: 250 ms of a tone for each word, and half a second of silence behind a comma or a stop."""
    tone = array("h", (9_000 if frame // 55 % 2 else -9_000 for frame in range(RATE // 4))).tobytes()
    pcm, words = b"", list[Word]()
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
        start_ms = len(pcm) // 2 * 1000 // RATE
        words.append(Word(word, start_ms, start_ms + 250, estimated=False))
        pcm += tone + bytes(RATE if word.rstrip()[-1] in ",." else 0)
    return pcm, words


class TimedVoice:
    """A voice and an aligner."""

    rate = RATE

    def __init__(self) -> None:
        self.words: dict[str, list[Word]] = {}
        """Of each sentence that was spoken."""
        self._estimate = SpeechAligner()

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        pcm, self.words[text] = await synthesize(text)
        yield pcm

    def begin(self, rate: int) -> Alignment:
        return TimedAlignment(self.words, self._estimate.begin(rate))


class TimedAlignment:
    """Of one sentence."""

    def __init__(self, spoken: dict[str, list[Word]], estimate: Alignment) -> None:
        self._spoken = spoken
        self._estimate = estimate
        self._text = ""
        self.end_text, self.add_audio, self.end_audio = estimate.end_text, estimate.add_audio, estimate.end_audio

    def add_text(self, text: str) -> None:
        self._text += text
        self._estimate.add_text(text)

    def replace_text(self, text: str) -> None:
        self._text = text
        self._estimate.replace_text(text)

    def words(self) -> Sequence[Word]:
        return self._spoken.get(self._text) or self._estimate.words()


async def main() -> None:
    model = replies(Write(text="Well, it rains in Oslo. Take an umbrella, a big one, and go by train."))
    voice = TimedVoice()
    async with MemoryServer(model) as server:
        # With a real model: OpenAIRealtime("gpt-realtime", output_modalities=["text"]), without `connect`.
        provider = OpenAIRealtime(api_key="", output_modalities=["text"])
        async with Session(provider, sink=PacedSink(), connect=server.connect, voice=voice, aligner=voice) as session:
            news = session.events()
            reply = await session.ask("How is the weather?")
            await reply.heard()
            await anyio.sleep(4.4)
            await session.interrupt()
            await reply.done()
        captions = [event async for event in news if isinstance(event, Caption)]

    for caption in captions:
        print(f"{caption.start_ms:5} ms {caption.text}")
    heard = session.history[-1].heard_text
    print("the history:", heard)
    assert "".join(caption.text for caption in captions).startswith(heard)
    assert not any(caption.estimated for caption in captions)


if __name__ == "__main__":
    anyio.run(main)
