"""An effect on audio: the model speaks with the voice of a robot, into a WAV file.

    python examples/audio_effect.py [FILE]

What goes out has as many frames as what came in. So a position still says which word was heard, and an interruption
cuts the message on the server where it was cut for the ears.
"""

import sys
import wave
from array import array

import anyio
import numpy as np
from msgspec.structs import replace

from rtactors import Session, events, mail
from rtactors.loopback.script import replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.pipeline import MessagePlace, Pipeline, Stage
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import WavSink

HUM_HZ = 50
ANSWER = "I am not a robot. I only sound like one, and I stop in the middle of"


class Robot(Stage[mail.MessageMail]):
    """Stands before a message, and multiplies its audio with a low hum (ring modulation)."""

    def __init__(self, place: MessagePlace) -> None:
        super().__init__(place)
        self._rate = place.surroundings.capabilities.output_rate
        self._frames = 0
        self._odd = b""  # a piece may end in the middle of a frame

    def handle(self, message: mail.MessageMail) -> None:
        if isinstance(message, events.AudioDelta):
            message = replace(message, audio=self._changed(message.audio))
        self.pass_on(message)

    def _changed(self, audio: bytes) -> bytes:
        audio = self._odd + audio
        whole = len(audio) - len(audio) % events.BYTES_PER_FRAME
        audio, self._odd = audio[:whole], audio[whole:]
        voice = np.frombuffer(audio, dtype="<i2")
        at = self._frames + np.arange(len(voice))
        self._frames += len(voice)
        return (voice * np.sin(2 * np.pi * HUM_HZ / self._rate * at)).astype("<i2").tobytes()


async def main(file: str) -> None:
    async with MemoryServer(replies(ANSWER), voice=ToneVoice()) as server:
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`.
        provider = OpenAIRealtime(api_key="")
        sink = WavSink(file)  # or Speaker()
        async with Session(provider, sink=sink, connect=server.connect, pipeline=Pipeline(message=(Robot,))) as session:
            reply = await session.ask("Are you a robot?")
            await reply.heard()
            await anyio.sleep(1.5)
            await session.interrupt()
            (said,) = await reply.done()
            await session.quiet()
            (kept,) = (item for item in server.sessions[0].items if item.role == "assistant")

    with wave.open(file) as recording:
        heard = array("h", recording.readframes(recording.getnframes()))
        seconds = recording.getnframes() / recording.getframerate()
    print(f"heard: {said.heard_text!r}, {said.heard_ms} of {said.generated_ms} ms")
    print(f"the server keeps {kept.audio_ms} ms; {file} has {seconds:.1f} s")
    assert said.interrupted
    assert kept.audio_ms == said.heard_ms
    assert any(heard)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if sys.argv[1:] else "robot.wav")
