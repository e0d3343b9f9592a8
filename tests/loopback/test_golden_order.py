"""The client's side of the golden traces, played to the server: it answers with the same events in the same order.

Not compared: input transcription, which floats; and how much audio or text one delta holds. The traces' audio is too
short for a real voice detection, so the user speaks when and as long as the trace says that speech was heard.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

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


def play_of(name: str) -> Play:
    gate = Gate()
    match name:
        case "single_message_full":
            return Play(replies("Hello and welcome."))
        case "multi_message_full":
            check = Reply(
                outputs=(
                    Say(text="Let me check.", phase="commentary"),
                    Say(text="It is ten o'clock.", phase="final_answer"),
                ),
                batch_done=True,
            )
            return Play(replies(check, ["One moment.", "Still looking.", "Here it is."]))
        case "function_call_then_reply":
            return Play(replies(["Checking.", Call(name="get_weather", arguments='{"city":"Oslo"}')], "Four degrees."))
        case "active_response_conflict":
            return Play(replies(Say(text="One.", gate=gate, gate_ms=40), "One again."), gate)
        case "delete_race_with_context_update":
            return Play(replies(Say(text="Hm", gate=gate, gate_ms=20), "Yes?"), gate)
        case "interrupted_before_first_audio":
            return Play(replies(Say(text="Once upon", gate=gate), "Okay."), gate)
        case "barge_in_second_message":
            parts = Say(text="First part."), Say(text="Second part goes on."), Say(text="Third", gate=gate, gate_ms=40)
            return Play(replies(Reply(outputs=parts, batch_done=True), "Sure, stopping."), gate)
        case _:
            raise AssertionError(name)


def floats(event: Json) -> bool:
    return "input_audio_transcription" in event["type"]


def is_delta(event: Json) -> bool:
    return event["type"].endswith(".delta")


def order(events: list[Json]) -> list[str]:
    """The types, with a run of deltas as one."""
    types = ("delta" if is_delta(event) else event["type"] for event in events if not floats(event))
    return [kind for kind, _ in groupby(types)]


def ids(value: Any, key: str = "") -> Iterator[str]:
    """All ids in an event but its own, in order."""
    if isinstance(value, dict):
        for inner in sorted(value):
            yield from ids(value[inner], inner)
    elif isinstance(value, list):
        for element in value:
            yield from ids(element, key)
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
    subject = event.get("item") or event.get("response") or {}
    return {
        "type": event["type"],
        "item_id": event.get("item_id"),
        "output_index": event.get("output_index"),
        "error": event.get("error"),
        "subject": {key: subject.get(key) for key in ("id", "type", "role", "status", "status_details", "metadata")},
        "content": [(part["type"], part.get("transcript"), part.get("text")) for part in subject.get("content", [])],
        "output": [item["status"] for item in event.get("response", {}).get("output", [])],
    }


async def perform(client: Client, trace: list[Json], gate: Gate | None) -> dict[str, str]:
    """Do what the client and the user do, each when the server has said as much as in the trace. Gives the names."""
    names: dict[str, str] = {}  # the trace's ids, and the server's
    seen = 0
    for line in trace:
        event = line["event"]
        if line["dir"] == "c":
            if event["type"] != "input_audio_buffer.append":
                if gate and event["event_id"] == "rc_2":
                    await gate.reached.wait()
                await client.socket.send(json.dumps(renamed(event, names)))
            continue
        if floats(event) or is_delta(event):
            continue
        if event["type"] == "input_audio_buffer.speech_started":
            if gate and client.find("response.created"):
                await gate.reached.wait()
            await client.speak(tone(300))
        elif event["type"] == "input_audio_buffer.speech_stopped":
            await client.speak(silence(700))
        while len(said := [one for one in client.events if not (floats(one) or is_delta(one))]) <= seen:
            await client.receive()
        names.update(zip(ids(event), ids(said[seen]), strict=False))
        seen += 1
        if gate and event["type"] == "error":
            gate.open()
    return names


@pytest.mark.parametrize(
    "name",
    [
        "single_message_full",
        "multi_message_full",
        "function_call_then_reply",
        "active_response_conflict",
        "delete_race_with_context_update",
        "interrupted_before_first_audio",
        "barge_in_second_message",
    ],
)
async def test_the_server_answers_as_in_the_trace(name: str) -> None:
    trace = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = [line["event"] for line in trace if line["dir"] == "s"]
    transcripts = [event["transcript"] for event in expected if "transcription.completed" in event["type"]]
    script, gate = play_of(name)
    server = MemoryServer(script, voice=ToneVoice(ms_per_char=10), recognizer=Scripted(*transcripts or ["-"]))
    async with server, connected(server, model="gpt-realtime-2") as client:
        names = await perform(client, trace, gate)
        assert order(client.events) == order(expected)
        ours = [essence(event) for event in client.events if not (floats(event) or is_delta(event))]
        theirs = [essence(renamed(event, names)) for event in expected if not (floats(event) or is_delta(event))]
        assert ours[2:] == theirs[2:]  # behind the settings
