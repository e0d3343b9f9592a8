"""A recorder: the audio of each message in a WAV file of its own, also of what nobody got to hear.

    python examples/message_recorder.py [FOLDER]

A stage may have a `run` of its own, around what it does for each message: here it opens the file, and closes it when
the message has ended and the server makes no more of it.
"""

import sys
import wave
from functools import partial
from pathlib import Path

import anyio

from rtactors import Session, events, mail
from rtactors.loopback.script import replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.pipeline import MessagePlace, Pipeline, Stage
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import PacedSink


class MessageRecorder(Stage[mail.MessageMail]):
    """Stands before a message, and writes down all that the model generates for it."""

    def __init__(self, place: MessagePlace, folder: Path) -> None:
        super().__init__(place)
        self._path = folder / f"{place.announced.item.id}.wav"
        self._rate = place.surroundings.capabilities.output_rate
        self._file: wave.Wave_write

    async def run(self) -> None:
        with wave.open(str(self._path), "wb") as self._file:
            self._file.setnchannels(1)
            self._file.setsampwidth(events.BYTES_PER_FRAME)
            self._file.setframerate(self._rate)
            await super().run()

    def handle(self, message: mail.MessageMail) -> None:
        if isinstance(message, events.AudioDelta):
            self._file.writeframes(message.audio)
        self.pass_on(message)


async def main(folder: Path) -> None:
    script = replies(["The first message is heard to its end.", "The second one is stopped in the middle of it."])
    pipeline = Pipeline(message=(partial(MessageRecorder, folder=folder),))
    async with MemoryServer(script, voice=ToneVoice()) as server:
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`; and a Speaker as the sink.
        provider = OpenAIRealtime(api_key="")
        async with Session(provider, sink=PacedSink(), connect=server.connect, pipeline=pipeline) as session:
            reply = await session.ask("Tell me two things.")
            await reply.heard()
            await anyio.sleep(3)
            await session.interrupt()
            said = await reply.done()
            await session.quiet()

    for message in said:
        with wave.open(str(folder / f"{message.id}.wav")) as recording:
            ms = recording.getnframes() * 1000 // recording.getframerate()
        print(f"{message.id}.wav has {ms} ms, of which {message.heard_ms} ms were heard: {message.heard_text!r}")
        assert message.heard_ms <= message.generated_ms == ms
    assert [message.interrupted for message in said] == [False, True]


if __name__ == "__main__":
    into = Path(sys.argv[1] if sys.argv[1:] else "messages")
    into.mkdir(exist_ok=True)
    anyio.run(main, into)
