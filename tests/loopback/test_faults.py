"""Each fault, provoked: what the client sees, and what has happened on the server all the same."""

import base64

import anyio
import pytest

from rtactors.loopback.faults import ALWAYS, Faults, close, cut, delay, drop, duplicate, edit, hold, ignore, inject
from rtactors.loopback.script import IMMEDIATE, Gate, Say, Timing, replies
from rtactors.loopback.server import MemoryServer
from rtactors.transports.base import SocketClosed
from tests.loopback.client import Client, Json, connected, utterance

pytestmark = pytest.mark.anyio


def is_assistants(event: Json) -> bool:
    return event["item"].get("role") == "assistant"


async def truncate_all(client: Client) -> None:
    for event in client.find("response.output_item.done"):
        item_id = event["item"]["id"]
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)


async def test_a_dropped_ack_has_happened_all_the_same() -> None:
    faults = Faults(drop("conversation.item.truncated"))
    async with MemoryServer(replies(["One.", "Two."]), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        await truncate_all(client)
        acks = [await client.until("conversation.item.truncated")]
        assert [ack["item_id"] for ack in acks] == [server.sessions[0].items[1].id]
        assert [item.audio_ms for item in server.sessions[0].items] == [100, 100]


async def test_an_ignored_request_never_comes_to_be() -> None:
    faults = Faults(ignore("response.create", nth=2))
    async with MemoryServer(faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        await client.send("response.create")
        await anyio.sleep(600)
        await client.send("response.create")
        await client.until("response.done")
        assert len(server.sessions[0].log.find("response.created")) == 2


async def test_a_delayed_event_is_overtaken() -> None:
    faults = Faults(delay("conversation.item.added", ms=300, where=is_assistants))
    async with MemoryServer(replies("x" * 60), faults=faults) as server, connected(server) as client:
        await client.say("Hello.")  # the user's item is no assistant's
        await client.until("conversation.item.added")
        await client.send("response.create")
        await client.until("conversation.item.added")
        assert client.types[-2:] == ["response.output_audio.delta", "conversation.item.added"]
        log = server.sessions[0].log
        announced, added = log.find("response.output_item.added")[0], log.find("conversation.item.added")[1]
        assert announced.json["item"] == added.json["item"]
        assert added.at - announced.at == pytest.approx(0.3)


async def test_delayed_events_keep_their_order() -> None:
    faults = Faults(delay("response.output_audio.delta", ms=2000, times=ALWAYS))
    async with MemoryServer(replies("Some words."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        done = await client.until("response.done")
        item_id = done["response"]["output"][0]["id"]
        assert not client.audio(item_id)
        frames = server.sessions[0].items[0].frames
        while len(client.audio(item_id)) < 2 * frames:
            await client.receive()
        await client.send("conversation.item.retrieve", item_id=item_id)
        held = (await client.until("conversation.item.retrieved"))["item"]["content"][0]["audio"]
        assert client.audio(item_id) == base64.b64decode(held)


async def test_held_deltas_come_after_the_response_was_cancelled() -> None:
    gate = Gate()
    faults = Faults(hold("response.output_audio.delta", gate, nth=6, times=3))
    async with MemoryServer(replies("Some words."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta", 6)  # the first five, and the ninth
        await gate.reached.wait()
        await client.send("response.cancel")
        done = await client.until("response.done")
        before = len(client.find("response.output_audio.delta"))
        gate.open()
        await client.until("response.output_audio.delta", 3)
        item_id = done["response"]["output"][0]["id"]
        assert len(client.find("response.output_audio.delta")) == before + 3
        assert len(client.audio(item_id)) == 2 * server.sessions[0].items[0].generated_frames


async def test_behind_an_open_gate_all_is_in_order() -> None:
    gate = Gate()
    gate.open()
    seen: list[list[str]] = []
    for faults in (Faults(), Faults(hold("response.output_audio.delta", gate, times=ALWAYS))):
        server = MemoryServer(replies(["One.", "Two."]), faults=faults, timing=IMMEDIATE)
        async with server, connected(server) as client:
            await client.send("response.create")
            await client.until("response.done")
            seen.append(client.types)
    assert seen[0] == seen[1]


async def test_generation_stops_at_a_gate_and_goes_on() -> None:
    gate = Gate()
    script = replies(Say(text="A long sentence.", gate=gate, gate_ms=333))
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await anyio.sleep(600)
        assert server.sessions[0].items[0].generated_ms == 333
        gate.open()
        opened = anyio.current_time()
        await client.until("response.done")
        assert server.sessions[0].items[0].generated_ms == 960
        assert anyio.current_time() - opened == pytest.approx((960 - 333) / 1000 / 8)  # at the usual pace, no burst


async def test_duplicates_and_strangers() -> None:
    stranger = {"type": "session.sparkled", "event_id": "event_x"}
    orphan = {"type": "error", "event_id": "event_y", "error": {"type": "server_error", "message": "Something."}}
    faults = Faults(
        duplicate("response.done"),
        inject(stranger, before="response.created"),
        inject(orphan, before="response.output_audio.delta", nth=3),
        edit("response.done", lambda event: event["response"].update(usage=None), nth=2),
    )
    async with MemoryServer(replies("One.", "Two."), faults=faults) as server, connected(server) as client:
        for count in (2, 1):
            await client.send("response.create")
            await client.until("response.done", count)
        assert client.events[1] == stranger
        assert orphan in client.events
        first, again, second = client.find("response.done")
        assert first == again
        assert first["response"]["usage"]["total_tokens"] > 0
        assert second["response"]["usage"] is None


async def test_done_without_created() -> None:
    faults = Faults(drop("response.created", times=ALWAYS))
    async with MemoryServer(replies("One."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"
        assert not client.find("response.created")


async def test_an_error_that_comes_after_the_response_it_is_about() -> None:
    faults = Faults(delay("error", ms=5000))
    async with MemoryServer(replies("One."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        refused = await client.send("response.create")
        await client.until("response.done")
        assert (await client.until("error"))["error"]["event_id"] == refused


async def test_the_server_hangs_up_at_an_event() -> None:
    faults = Faults(close("response.output_audio.delta", nth=3, code=1001, reason="Your session hit the limit."))
    async with MemoryServer(replies("One."), faults=faults) as server:
        async with connected(server) as client:
            await client.send("response.create")
            with pytest.raises(SocketClosed, match="hit the limit") as closed:
                await client.until("response.done")
            assert closed.value.code == 1001
            assert len(client.find("response.output_audio.delta")) == 2
        async with connected(server) as client:  # the rule has been used up
            await client.send("response.create")
            await client.until("response.done")


async def test_the_network_breaks_in_the_middle_of_an_event() -> None:
    faults = Faults(cut("response.output_audio.delta", nth=3, at_byte=100))
    async with MemoryServer(replies("One."), faults=faults) as server, connected(server) as client:
        await client.send("response.create")
        with pytest.raises(SocketClosed) as closed:
            await client.until("response.done")
        assert closed.value.code is None
        await server.sessions[0].closed.wait()


async def test_a_late_reply_can_be_cancelled_before_it_begins() -> None:
    async with MemoryServer(replies("One."), timing=Timing(created_ms=30_000)) as server, connected(server) as client:
        await client.send("response.create")
        await anyio.sleep(20)
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        assert server.sessions[0].items == ()


async def test_rules_count_over_all_sessions_and_the_first_that_applies_decides() -> None:
    faults = Faults(
        drop("conversation.item.added", nth=2), duplicate("conversation.item.added", times=ALWAYS, where=bool)
    )
    async with MemoryServer(faults=faults) as server:
        for expected in (2, 0, 2):
            async with connected(server) as client:
                await client.say("Hello.")
                await client.until("conversation.item.done")
                assert len(client.find("conversation.item.added")) == expected


async def test_a_test_may_say_anything_at_any_time() -> None:
    async with MemoryServer() as server, connected(server) as client:
        server.sessions[0].inject({"type": "error", "error": {"message": "out of nowhere"}})
        assert (await client.until("error"))["error"]["message"] == "out of nowhere"
        await client.speak(utterance())
        await client.until("response.created")


async def test_the_log_tells_the_conversation() -> None:
    async with MemoryServer(replies("One.")) as server, connected(server) as client:
        log = server.sessions[0].log
        await client.send("response.create")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.until, "rate_limits.updated")
            assert (await log.wait("response.output_audio.delta", 3)).json["delta"]
            await log.wait("response.done")
        assert [record.type for record in log.received] == ["response.create"]
        assert [record.type for record in log.sent] == client.types
        lines = str(log).splitlines()
        assert len(lines) == len(log.records)
        assert "<- response.create" in lines[1]
        assert max(map(len, lines)) < 1500  # no audio
