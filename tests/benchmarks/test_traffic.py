"""The server of the benchmarks and our sides: what is said, heard and cut, counted; nothing is timed."""

import base64
import json
from collections.abc import Generator
from itertools import groupby
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.sync.client import ClientConnection, connect

from benchmarks.lineup import FLOOR, OURS, VARIANTS, lineup
from benchmarks.processes import Process, Traffic, traffic

pytestmark = [pytest.mark.sockets, pytest.mark.speech]

BYTES_A_SECOND = 48_000
SIDES = (FLOOR, OURS, *VARIANTS)
official = TypeAdapter[Any](RealtimeServerEvent)

Event = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Generator[Traffic]:
    with traffic() as running:
        yield running


class Client:
    """Says one thing, and hears all until the end of what was asked for. The official types read each event."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def say(self, type: str, **fields: object) -> None:
        self._socket.send(json.dumps({"type": type, "event_id": "mine", **fields}))

    def hear(self, end: str) -> list[Event]:
        heard: list[Event] = []
        while not heard or heard[-1]["type"] != end:
            heard.append(json.loads(self._socket.recv(timeout=10)))
            official.validate_python(heard[-1])
        return heard


@pytest.fixture
def client(server: Traffic) -> Generator[Client]:
    with connect(f"{server.url}/realtime") as socket:
        heard = Client(socket)
        heard.hear("session.created")
        yield heard


def types(events: list[Event]) -> list[str]:
    """Their types, with those that repeat but once."""
    return [type for type, _ in groupby(event["type"] for event in events)]


def test_a_response_has_all_its_events_in_order(server: Traffic, client: Client) -> None:
    server.script(delta_ms=20, seconds=0.2, pace=0)
    client.say("response.create", response={"metadata": {"mine": "1"}})
    heard = client.hear("response.done")
    assert types(heard) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    audio = b"".join(
        base64.b64decode(event["delta"]) for event in heard if event["type"] == "response.output_audio.delta"
    )
    assert len(audio) == 0.2 * BYTES_A_SECOND
    assert any(audio)
    text = "".join(e["delta"] for e in heard if e["type"] == "response.output_audio_transcript.delta")
    response = heard[-1]["response"]
    assert response["output"][0]["content"][0]["transcript"] == text
    assert (response["status"], response["metadata"]) == ("completed", {"mine": "1"})
    assert len({event["event_id"] for event in heard}) == len(heard)


def test_a_slow_client_gets_all_of_several_responses_at_once(server: Traffic, client: Client) -> None:
    """More than a socket holds; the second one is out of band, so that both run."""
    server.script(delta_ms=100, seconds=120, pace=0)
    client.say("response.create")
    client.say("response.create", response={"conversation": "none"})
    sizes: dict[str, int] = {}
    for event in [*client.hear("response.done"), *client.hear("response.done")]:
        if event["type"] == "response.output_audio.delta":
            sizes[event["response_id"]] = sizes.get(event["response_id"], 0) + len(base64.b64decode(event["delta"]))
    assert list(sizes.values()) == [120 * BYTES_A_SECOND] * 2


def test_what_is_out_of_band_is_no_part_of_the_conversation(server: Traffic, client: Client) -> None:
    server.script(delta_ms=20, seconds=0.1, pace=0)
    client.say("response.create", response={"conversation": "none", "metadata": {"topic": "mine"}})
    heard = client.hear("response.done")
    assert not [event for event in heard if event["type"].startswith("conversation.")]
    assert heard[-1]["response"]["conversation_id"] is None
    assert heard[-1]["response"]["metadata"] == {"topic": "mine"}


def test_a_response_is_cancelled_once_and_what_is_wrong_is_refused(server: Traffic, client: Client) -> None:
    server.script(delta_ms=20, seconds=60)
    client.say("response.create")
    item_id = client.hear("response.output_audio.delta")[1]["item"]["id"]
    client.say("response.create")
    assert client.hear("error")[-1]["error"]["code"] == "conversation_already_has_active_response"
    client.say("response.cancel")
    response = client.hear("response.done")[-1]["response"]
    assert (response["status"], response["status_details"]["reason"]) == ("cancelled", "client_cancelled")
    assert response["output"][0]["status"] == "incomplete"

    client.say("response.cancel")
    error = client.hear("error")[-1]["error"]
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
    for end_ms in (0, 60_000):
        client.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)
        assert types(client.hear("error")) == ["error"]
    client.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=20)
    assert client.hear("conversation.item.truncated")[-1]["audio_end_ms"] == 20
    client.say("conversation.item.delete", item_id=item_id)
    client.hear("conversation.item.deleted")
    client.say("conversation.item.delete", item_id=item_id)
    assert client.hear("error")[-1]["error"]["code"] == "item_delete_invalid_item_id"


def test_the_user_interrupts_and_is_not_answered(server: Traffic, client: Client) -> None:
    server.script(delta_ms=20, seconds=60, interrupt_ms=[50, 100])
    client.say("response.create")
    heard = client.hear("conversation.item.done")
    assert heard[-1]["item"]["role"] == "assistant"
    response = client.hear("response.done")[-1]["response"]
    assert response["status_details"]["reason"] == "turn_detected"
    after = client.hear("conversation.item.done")
    assert after[-1]["item"]["role"] == "user"
    assert types(after)[:2] == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]


@pytest.fixture(scope="module", params=SIDES)
def side(server: Traffic, request: pytest.FixtureRequest) -> Process:
    started = server.side(lineup()[request.param])
    assert started.do("open", calls=3)["calls"] == 3
    return started


def test_a_side_hears_all_of_it(server: Traffic, side: Process) -> None:
    server.script(delta_ms=20, seconds=0.2)
    server.log()
    said = side.do("talk", over_s=0.01, window_s=[0, 0.05], ticks=True)
    assert [(one["call"], one["frames"], one["ghosts"]) for one in said["heard"]] == [(n, 4800, 0) for n in range(3)]
    assert len(said["window"]["late_ms"]) == 3  # ticks, of 20 ms
    assert said["window"]["frames"] <= 3 * 4800
    responses = server.log()["responses"]
    assert [one["truncate_ns"] or one["deletes"] or one["cancel_ns"] or one["errors"] for one in responses] == [[]] * 3


@pytest.mark.parametrize("pace", [0, 5])
def test_a_side_that_is_interrupted_cuts_where_it_was_heard(server: Traffic, side: Process, pace: int) -> None:
    server.script(delta_ms=20, seconds=60, pace=pace, interrupt_ms=[150, 250])
    server.log()
    heard, responses = side.do("talk")["heard"], server.log()["responses"]
    assert [one["frames"] // 24 for one in heard] == [one["truncate_ms"] for one in responses]
    assert all(0 < one["frames"] < 60 * 24_000 for one in heard)
    assert [one["ghosts"] for one in heard] == [0, 0, 0]
    assert [one["errors"] for one in responses] == [[], [], []]
