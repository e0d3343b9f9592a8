"""The client's side of the golden traces, played to the server: it answers with the same events in the same order.

Not compared: input transcription, which floats; and how much audio or text one delta holds. The traces' audio is too
short for a real voice detection, so the user speaks when and as long as the trace says that speech was heard.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Call, Gate, Reply, Say, Script, replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from tests.loopback.client import Client, Json, connected, silence, tone

pytestmark = pytest.mark.anyio

GOLDEN = Path(__file__).parent.parent / "golden"


class Play(NamedTuple):
    script: Script
    gate: Gate | None = None
    """Where the first response waits for what the client does in the middle of it."""


def plays() -> dict[str, Play]:
    conflict, deleted, early, spoken = Gate(), Gate(), Gate(), Gate()
    batch = Say(text="Let me check.", phase="commentary"), Say(text="It is ten o'clock.", phase="final_answer")
    parts = Say(text="First part."), Say(text="Second part goes on."), Say(text="Third", gate=spoken, gate_ms=40)
    weather = Call(name="get_weather", arguments='{"city":"Oslo"}')
    return {
        "single_message_full": Play(replies("Hello and welcome.")),
        "multi_message_full": Play(
            replies(Reply(outputs=batch, batch_done=True), ["One moment.", "Still looking.", "Here it is."])
        ),
        "function_call_then_reply": Play(replies(["Checking.", weather], "Four degrees.")),
        "active_response_conflict": Play(replies(Say(text="One.", gate=conflict, gate_ms=40), "One again."), conflict),
        "delete_race_with_context_update": Play(replies(Say(text="Hm", gate=deleted, gate_ms=20), "Yes?"), deleted),
        "interrupted_before_first_audio": Play(replies(Say(text="Once upon", gate=early), "Okay."), early),
        "barge_in_second_message": Play(replies(Reply(outputs=parts, batch_done=True), "Sure, stopping."), spoken),
    }


def floats(event: Json) -> bool:
    return "input_audio_transcription" in event["type"]


def is_delta(event: Json) -> bool:
    return event["type"].endswith(".delta")


def order(events: list[Json]) -> list[str]:
    """The types, with a run of deltas as one."""
    types = ("delta" if is_delta(event) else event["type"] for event in events if not floats(event))
    return [kind for kind, _ in groupby(types)]


def is_fixed(event: Json) -> bool:
    """Whether the order of these events is fixed one by one."""
    return not (floats(event) or is_delta(event))


def ids(value: Any, key: str = "") -> Iterator[str]:
    """All ids in an event but its own, in order."""
    if isinstance(value, dict):
        for inner, part in sorted(cast("Json", value).items()):
            yield from ids(part, inner)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from ids(part, key)
    elif isinstance(value, str) and key in {"id", "item_id", "response_id", "call_id", "previous_item_id"}:
        yield value


def renamed(event: Json, names: dict[str, str]) -> Json:
    text = json.dumps(event)
    for theirs, ours in names.items():
        text = text.replace(f'"{theirs}"', f'"{ours}"').replace(f"'{theirs}'", f"'{ours}'")
        text = text.replace(f": {theirs}. ", f": {ours}. ")  # in the sentence about the active response
    return json.loads(text)


def essence(event: Json) -> Json:
    """What a trace and the server must agree on, beside the order."""
    subject: Json = event.get("item") or event.get("response") or {}
    return {
        "type": event["type"],
        "item_id": event.get("item_id"),
        "output_index": event.get("output_index"),
        "error": event.get("error"),
        "subject": {key: subject.get(key) for key in ("id", "type", "role", "status", "status_details", "metadata")},
        "content": [(part["type"], part.get("transcript"), part.get("text")) for part in subject.get("content", [])],
        "output": [item["status"] for item in event.get("response", {}).get("output", [])],
    }


async def be_heard(client: Client, event_type: str, gate: Gate | None) -> None:
    """The user makes the server say this, if it is about speech."""
    if event_type == "input_audio_buffer.speech_started":
        if gate and client.find("response.created"):
            await gate.reached.wait()
        await client.speak(tone(300))
    elif event_type == "input_audio_buffer.speech_stopped":
        await client.speak(silence(700))


async def perform(client: Client, trace: list[Json], gate: Gate | None) -> dict[str, str]:
    """Do what the client and the user do, each when the server has said as much as in the trace. Gives the names."""
    names: dict[str, str] = {}  # the trace's ids, and the server's
    seen = 0
    for line in trace:
        event = line["event"]
        if line["dir"] == "s" and is_fixed(event):
            await be_heard(client, event["type"], gate)
            while len(said := [one for one in client.events if is_fixed(one)]) <= seen:
                await client.receive()
            names.update(zip(ids(event), ids(said[seen]), strict=False))
            seen += 1
        elif line["dir"] == "c" and event["type"] != "input_audio_buffer.append":
            if gate and event["event_id"] == "rc_2":
                await gate.reached.wait()
            await client.socket.send(json.dumps(renamed(event, names)))
        if gate and event["type"] == "error":
            gate.open()
    return names


@pytest.mark.parametrize("name", plays())
async def test_the_server_answers_as_in_the_trace(name: str) -> None:
    trace = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = [line["event"] for line in trace if line["dir"] == "s"]
    transcripts = [event["transcript"] for event in expected if "transcription.completed" in event["type"]]
    script, gate = plays()[name]
    server = MemoryServer(script, voice=ToneVoice(ms_per_char=10), recognizer=Scripted(*transcripts or ["-"]))
    async with server, connected(server, model="gpt-realtime-2") as client:
        names = await perform(client, trace, gate)
        assert order(client.events) == order(expected)
        ours = [essence(event) for event in client.events if is_fixed(event)]
        theirs = [essence(renamed(event, names)) for event in expected if is_fixed(event)]
        assert ours[2:] == theirs[2:]  # behind the settings
