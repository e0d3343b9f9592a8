"""OpenAI's own client, written by others, holds a conversation with the server.

Each event that it receives is also checked, strictly, against the types of OpenAI's package.
"""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from rtactors.loopback.recognizer import Pocketsphinx, Scripted
from rtactors.loopback.script import STORY_PHRASES, Call, Gate, Say, Timing, replies, story
from rtactors.loopback.server import Server
from rtactors.loopback.vad import WebrtcVad
from rtactors.loopback.voice import EspeakVoice, ToneVoice
from tests.loopback.client import silence, utterance

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

THEIR_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
FAST = Timing(speed=200, transcription_ms=20)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the client knows no other


class Conversation:
    """What was received is in `events`."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def until(self, event_type: str) -> Any:
        while True:
            frame = await self.connection.recv_bytes()
            checked = THEIR_EVENTS.validate_python(json.loads(frame))
            event = self.connection.parse_event(frame)
            assert type(checked) is type(event)
            self.events.append(event)
            if event.type == event_type:
                return event

    def find(self, event_type: str) -> list[Any]:
        return [event for event in self.events if event.type == event_type]

    async def speak(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 4800):
            audio = base64.b64encode(pcm[start : start + 4800]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)


@asynccontextmanager
async def conversation(server: Server, **options: Any) -> AsyncGenerator[Conversation]:
    options = {"api_key": "none", "websocket_base_url": server.url, **options}
    async with (
        AsyncOpenAI(**options) as client,
        client.realtime.connect(model="gpt-realtime-2") as connection,
    ):
        talk = Conversation(connection)
        await talk.until("session.created")
        yield talk


async def ask(talk: Conversation, text: str) -> Any:
    """Write, and wait for the answer."""
    content: Any = [{"type": "input_text", "text": text}]
    await talk.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await talk.connection.response.create()
    return (await talk.until("response.done")).response


async def test_text_in_several_spoken_messages_out_truncate_delete() -> None:
    async with Server(voice=ToneVoice(), timing=FAST) as server, conversation(server) as talk:
        await talk.connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        assert (await talk.until("session.updated")).session.instructions == "Be brief."
        response = await ask(talk, "Tell me a story.")
        assert response.status == "completed"
        first, second, third = response.output
        assert first.content[0].transcript.startswith("Ada kept the lighthouse.")
        audio = [base64.b64decode(event.delta) for event in talk.find("response.output_audio.delta")]
        assert sum(map(len, audio)) == sum(2 * item.frames for item in server.sessions[0].items)

        item = talk.connection.conversation.item
        await item.truncate(item_id=second.id, content_index=0, audio_end_ms=700)
        assert (await talk.until("conversation.item.truncated")).audio_end_ms == 700
        await item.delete(item_id=third.id)
        assert (await talk.until("conversation.item.deleted")).item_id == third.id
        await item.retrieve(item_id=second.id)
        part = (await talk.until("conversation.item.retrieved")).item.content[0]
        assert (len(base64.b64decode(part.audio)), part.transcript) == (700 * 48, None)
        await item.delete(item_id=third.id, event_id="again")
        error = (await talk.until("error")).error
        assert (error.code, error.event_id) == ("item_delete_invalid_item_id", "again")

        held = [(item.role, item.text[:8], item.audio_ms, item.truncated) for item in server.sessions[0].items]
        assert held == [
            ("user", "Tell me ", 0, False),
            ("assistant", "Ada kept", 5940, False),
            ("assistant", "", 700, True),
        ]


async def test_a_function_call_and_its_answer() -> None:
    script = replies(["Let me look.", Call(name="weather", arguments='{"city": "Oslo"}')], "It is four degrees.")
    async with Server(script, voice=ToneVoice(), timing=FAST) as server, conversation(server) as talk:
        call = (await ask(talk, "How is the weather in Oslo?")).output[1]
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Oslo"})
        await talk.connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 4}'}
        )
        await talk.connection.response.create(response={"metadata": {"for": call.call_id}})
        answer = (await talk.until("response.done")).response
        assert answer.metadata == {"for": call.call_id}
        assert answer.output[0].content[0].transcript == "It is four degrees."


async def test_barge_in_and_cancel() -> None:
    gates = Gate(), Gate()
    script = replies(
        Say(text="A long story.", gate=gates[0], gate_ms=200), Say(text="Another one.", gate=gates[1], gate_ms=100)
    )
    server = Server(script, voice=ToneVoice(), recognizer=Scripted("Stop!"), timing=FAST)
    async with server, conversation(server) as talk:
        transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
        await talk.connection.session.update(session={"type": "realtime", "audio": transcription})
        await talk.connection.response.create()
        await gates[0].reached.wait()
        await talk.speak(utterance())
        started = await talk.until("input_audio_buffer.speech_started")
        cancelled = (await talk.until("response.done")).response
        assert (cancelled.status, cancelled.status_details.reason) == ("cancelled", "turn_detected")
        said = await talk.until("conversation.item.input_audio_transcription.completed")
        assert (said.item_id, said.transcript) == (started.item_id, "Stop!")
        await gates[1].reached.wait()
        await talk.connection.response.cancel()
        cancelled = (await talk.until("response.done")).response
        assert (cancelled.status, cancelled.status_details.reason) == ("cancelled", "client_cancelled")


async def test_a_wrong_key() -> None:
    async with Server(voice=ToneVoice(), api_key="sk-right") as server:
        with pytest.raises(Exception, match="401"):
            async with conversation(server):
                pass
        async with conversation(server, api_key="sk-right", base_url=server.base_url, websocket_base_url=None) as talk:
            assert talk.events


@pytest.mark.speech
async def test_spoken_input_is_heard_and_answered_with_a_voice() -> None:
    server = Server(story, recognizer=Pocketsphinx(STORY_PHRASES), vad=WebrtcVad, timing=FAST)
    user = EspeakVoice("en-us+f3")
    async with server, conversation(server) as talk:
        transcription: Any = {"input": {"transcription": {"model": "any"}}}
        await talk.connection.session.update(session={"type": "realtime", "audio": transcription})
        for turn, words in enumerate(("Tell me a story.", "Why did she sing?")):
            await talk.speak(silence(500) + (await user.speak(words)).pcm + silence(800))
            await server.sessions[0].log.wait("response.done", turn + 1)
        await talk.connection.input_audio_buffer.clear()
        await talk.until("input_audio_buffer.cleared")
        said = [event.transcript for event in talk.find("conversation.item.input_audio_transcription.completed")]
        assert said == ["tell me a story", "why did she sing"]
        told, explained = (event.response.output[0].content[0].transcript for event in talk.find("response.done"))
        assert told.startswith("Ada kept the lighthouse.")
        assert explained.startswith("Because a lamp is no use in the fog.")
