"""No framework: websockets and json, as the shortest program that works would be written. It stops what is heard when
the user speaks, drops what still comes of that response, and tells the server nothing.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.faithfulness import talk
from benchmarks.faithfulness.device import Device

FUNCTION = {
    "type": "function",
    "name": talk.TOOL,
    "description": talk.TOOL_DESCRIPTION,
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
SETTINGS = {
    "type": "realtime",
    "tools": [FUNCTION],
    "audio": {
        "input": {
            "turn_detection": {"type": "server_vad", "silence_duration_ms": talk.SILENCE_MS},
            "transcription": {"model": talk.TRANSCRIBER},
        }
    },
}


class Bare:
    def __init__(self, socket: ClientConnection, device: Device, tool: talk.Tool) -> None:
        self._socket = socket
        self._device = device
        self._tool = tool
        self._history: list[talk.Entry] = []
        self._response = ""
        self._dropped: set[str] = set()

    async def send(self, type: str, **fields: Any) -> None:  # noqa: ANN401 - any JSON
        await self._socket.send(json.dumps({"type": type, **fields}))

    async def hear(self, pcm: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def begin(self) -> None:
        await self.send("response.create")

    async def ask(self) -> None:
        await self._add("user", talk.QUESTION)
        await self.send("response.create")

    async def note(self) -> None:
        await self._add("system", talk.NOTE)

    async def aside(self) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": talk.ASIDE}]}
        response = {"conversation": "none", "output_modalities": ["text"], "input": [item]}
        await self.send("response.create", response=response)

    def history(self) -> list[talk.Entry]:
        return self._history

    async def _add(self, role: str, text: str) -> None:
        item = {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        self._history.append(talk.message(text, role))

    async def run(self) -> None:
        async for frame in self._socket:
            await self._handle(json.loads(frame))

    async def _handle(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "response.output_audio.delta":
                self._response = event["response_id"]
                if self._response not in self._dropped:
                    self._device.write(base64.b64decode(event["delta"]))
            case "input_audio_buffer.speech_started":
                self._dropped.add(self._response)
                self._device.clear()
            case "response.output_audio_transcript.done":
                self._history.append(talk.message(event["transcript"], "assistant", event["item_id"]))
            case "conversation.item.input_audio_transcription.completed":
                self._history.append(talk.message(event["transcript"], "user", event["item_id"]))
            case "response.done":
                calls = [item for item in event["response"]["output"] if item["type"] == "function_call"]
                for item in calls:
                    if item["status"] == "completed":
                        output = self._tool.look_up(**json.loads(item["arguments"]))
                        answer = {"type": "function_call_output", "call_id": item["call_id"], "output": output}
                        await self.send("conversation.item.create", item=answer)
                        await self.send("response.create")
            case _:
                pass


@asynccontextmanager
async def converse(url: str, device: Device, tool: talk.Tool) -> AsyncGenerator[Bare]:
    async with connect(f"{url}/realtime?model=gpt-realtime", max_size=None) as socket:
        conversation = Bare(socket, device, tool)
        await conversation.send("session.update", session=SETTINGS)
        listening = asyncio.create_task(conversation.run())
        yield conversation
        listening.cancel()


if __name__ == "__main__":
    talk.run(converse, versions={"websockets": version("websockets")})
