"""One session in virtual time: commands, turns, responses, and what is refused."""

import base64
import json
import math
from typing import Any

import anyio
import pytest

from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import IMMEDIATE, Call, Failed, Gate, Incomplete, Reply, Say, Timing, Turn, Write, replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import Speech, ToneVoice, Word
from rtactors.providers.base import Endpoint
from rtactors.transports.base import SocketClosed
from tests.loopback.client import Client, connected, silence, tone, utterance

pytestmark = pytest.mark.anyio

STORY = ["One sentence here.", "Then a second one.", "And the third."]
ITEM_DONE = ["conversation.item.done", "response.output_item.done"]
SPOKEN_DONE = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    *ITEM_DONE,
]
ANNOUNCED = ["response.output_item.added", "conversation.item.added"]


def without_deltas(types: list[str]) -> list[str]:
    return [one for one in types if not one.endswith(".delta")]


async def errors(client: Client, event_type: str, **fields: Any) -> dict[str, Any]:
    """The error that an event causes; it must name the event."""
    event_id = await client.send(event_type, **fields)
    error = (await client.until("error"))["error"]
    assert error["event_id"] == event_id
    return error


# ----------------------------------------------------------------------------------------------------------- responses


async def test_a_response_of_three_messages_in_its_order() -> None:
    async with MemoryServer(replies(STORY)) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("rate_limits.updated")
        message = [*ANNOUNCED, "response.content_part.added", *SPOKEN_DONE]
        expected = ["session.created", "response.created", *message * 3, "response.done", "rate_limits.updated"]
        assert without_deltas(client.types) == expected
        done = client.find("response.done")[0]["response"]
        assert done["status"] == "completed"
        assert [item["content"][0]["transcript"] for item in done["output"]] == STORY
        items = server.sessions[0].items
        assert [(item.role, item.text, item.status) for item in items] == [
            ("assistant", text, "completed") for text in STORY
        ]
        for item, text in zip(items, STORY, strict=True):
            speech = await ToneVoice().speak(text)
            assert client.audio(item.id) == speech.pcm
            assert (item.frames, item.generated_frames) == (len(speech.pcm) // 2, len(speech.pcm) // 2)


async def test_time_is_what_the_script_says() -> None:
    timing = Timing(command_ms=5, created_ms=10, thinking_ms=100, audio_ms=20, speed=4, delta_ms=20)
    server = MemoryServer(replies("0123456789"), voice=ToneVoice(ms_per_char=40), timing=timing)
    async with server, connected(server) as client:
        start = anyio.current_time()
        await client.send("response.create")
        await client.until("response.done")
        log = server.sessions[0].log

        def at(event_type: str, index: int = 0) -> float:
            return round((log.find(event_type)[index].at - start) * 1000, 6)

        assert at("response.created") == 15
        assert at("response.output_item.added") == 115
        assert [at("response.output_audio.delta", index) for index in range(20)] == [135 + 5 * n for n in range(20)]
        assert at("response.done") == 235


async def test_dones_may_come_in_one_batch() -> None:
    script = replies(Reply(outputs=(Say(text="One."), Say(text="Two.")), batch_done=True))
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        added = [*ANNOUNCED, "response.content_part.added"]
        expected = ["session.created", "response.created", *added * 2, *SPOKEN_DONE * 2, "response.done"]
        assert without_deltas(client.types) == expected


async def test_phases_reach_the_items() -> None:
    script = replies([Say(text="Hm.", phase="commentary"), Say(text="Four.", phase="final_answer"), "Plain."])
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        phases = [event["item"].get("phase") for event in client.find("response.output_item.added")]
        assert phases == ["commentary", "final_answer", None]


async def test_a_function_call_streams_its_arguments() -> None:
    arguments = json.dumps({"city": "Tromsø", "days": [1, 2, 3]})
    script = replies(["Let me look.", Call(name="weather", arguments=arguments)], "Four degrees.")
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        call = client.find("response.output_item.done")[1]["item"]
        assert (call["type"], call["name"], call["arguments"]) == ("function_call", "weather", arguments)
        deltas = client.find("response.function_call_arguments.delta")
        assert len(deltas) > 1
        assert "".join(delta["delta"] for delta in deltas) == arguments
        done = client.find("response.function_call_arguments.done")[0]
        assert (done["arguments"], done["call_id"], done["name"]) == (arguments, call["call_id"], "weather")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "4"}
        await client.send("conversation.item.create", item=output, previous_item_id=call["id"])
        await client.send("response.create")
        await client.until("response.done")
        kinds = [item.type for item in server.sessions[0].items]
        assert kinds == ["message", "function_call", "function_call_output", "message"]


async def test_a_text_session_writes_what_it_would_say() -> None:
    async with MemoryServer(replies("It is ten.", Write(text="Shown."))) as server, connected(server) as client:
        await client.send("response.create", response={"output_modalities": ["text"]})
        await client.until("response.done")
        await client.send("response.create")  # an audio response may show text, too
        await client.until("response.done")
        assert not client.find("response.output_audio.delta")
        assert [event["text"] for event in client.find("response.output_text.done")] == ["It is ten.", "Shown."]
        assert [item.text for item in server.sessions[0].items] == ["It is ten.", "Shown."]


@pytest.mark.parametrize(
    ("transcript", "where"), [("ahead", "before"), ("aligned", "between"), ("late", "after"), ("none", "nowhere")]
)
async def test_where_the_transcript_is(transcript: Any, where: str) -> None:
    text = "Five words come one by one."
    script = replies(Say(text=text, transcript=transcript))
    async with MemoryServer(script, voice=ToneVoice(ms_per_char=10)) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        kinds = [one.split(".")[1] for one in client.types if one.endswith(".delta")]
        words, audio = kinds.count("output_audio_transcript"), kinds.count("output_audio")
        first_audio, last_audio = kinds.index("output_audio"), len(kinds) - 1 - kinds[::-1].index("output_audio")
        if where == "nowhere":
            assert words == 0
            assert server.sessions[0].items[0].text == ""
            return
        assert words == 6
        assert server.sessions[0].items[0].text == text
        match where:
            case "before":
                assert first_audio == 6
            case "after":
                assert last_audio == audio - 1
            case _:
                assert first_audio < 2 < last_audio - 2


AUDIO, TEXT = "response.output_audio.delta", "response.output_audio_transcript.delta"
AUDIO_DONE, TEXT_DONE = "response.output_audio.done", "response.output_audio_transcript.done"


async def told(say: Say, **options: Any) -> tuple[list[str], dict[str, list[int]], Client]:
    """The types of what came of the one part, and at which ms after the first audio what of each type came."""
    timing = Timing(command_ms=0, created_ms=0, thinking_ms=0, audio_ms=0, speed=1)
    voice = ToneVoice(ms_per_char=100)
    async with MemoryServer(replies(say), voice=voice, timing=timing, **options) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        assert server.sessions[0].items[0].text == say.text
        sent = [
            record for record in server.sessions[0].log.records if record.type in {AUDIO, TEXT, AUDIO_DONE, TEXT_DONE}
        ]
    began = next(record.at for record in sent if record.type == AUDIO)
    at: dict[str, list[int]] = {}
    for record in sent:
        at.setdefault(record.type, []).append(round((record.at - began) * 1000))
    return [record.type for record in sent], at, client


async def test_text_may_trail_its_audio() -> None:
    _, at, _ = await told(Say(text="One two three.", lead_ms=-250))
    assert at[TEXT] == [260, 560, 960], "250 ms behind the words, which begin at 0, 300 and 700, with the next audio"
    assert at[AUDIO_DONE] == [1400]


async def test_text_that_trails_may_end_after_its_audio() -> None:
    types, at, _ = await told(Say(text="One two three.", lead_ms=-900))
    assert at[TEXT] == [900, 1200, 1600]
    assert (at[AUDIO_DONE], at[TEXT_DONE]) == ([1400], [1600])
    assert types[-3:] == [AUDIO_DONE, TEXT, TEXT_DONE]


async def test_text_may_be_over_before_its_audio_begins() -> None:
    types, _, _ = await told(Say(text="One two three.", lead_ms=math.inf))
    assert types == [TEXT, TEXT, TEXT, TEXT_DONE, *[AUDIO] * 70, AUDIO_DONE]


async def test_text_may_all_come_when_its_audio_is_over() -> None:
    types, _, _ = await told(Say(text="One two three.", lead_ms=-math.inf))
    assert types == [*[AUDIO] * 70, AUDIO_DONE, TEXT, TEXT, TEXT, TEXT_DONE]


async def test_text_may_be_held_when_its_audio_is_over() -> None:
    gate = Gate()
    say = Say(text="One two three.", lead_ms=-math.inf, gate=gate, gate_ms=10_000)
    async with MemoryServer(replies(say), timing=IMMEDIATE) as server, connected(server) as client:
        await client.send("response.create")
        await client.until(AUDIO_DONE)
        await gate.reached.wait()
        await client.say("Still there?")
        await client.until("conversation.item.done")
        assert not client.find(TEXT)
        gate.open()
        await client.until("response.done")
        assert [event["delta"] for event in client.find(TEXT)] == ["One", " two", " three."]


async def test_what_is_cancelled_while_its_text_trails_ends_once() -> None:
    gate = Gate()
    say = Say(text="One two three.", lead_ms=-math.inf, gate=gate, gate_ms=10_000)
    async with MemoryServer(replies(say), timing=IMMEDIATE) as server, connected(server) as client:
        await client.send("response.create")
        await client.until(AUDIO_DONE)
        await client.send("response.cancel")
        await client.until("response.done")
        assert [one for one in client.types if one.endswith(".done")] == [
            AUDIO_DONE,
            "response.content_part.done",
            *ITEM_DONE,
            "response.done",
        ]


async def test_when_words_are_spoken_is_told_if_wanted() -> None:
    for wanted, expected in (({}, [None] * 3), ({"word_times": True}, [0.0, 0.3, 0.7])):
        _, _, client = await told(Say(text="One two three."), **wanted)
        assert [event.get("start_time") for event in client.find(TEXT)] == expected


async def test_what_is_not_spoken_has_no_word_times() -> None:
    script = replies([Say(text="Unheard.", silent=True), Write(text="Shown.")])
    async with MemoryServer(script, word_times=True) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        deltas = [*client.find(TEXT), *client.find("response.output_text.delta")]
        assert len(deltas) == 2
        assert not any("start_time" in delta for delta in deltas)


@pytest.mark.parametrize(
    ("ending", "status", "reason"),
    [
        (Failed(after_ms=300, code="rate_limit_exceeded"), "failed", None),
        (Incomplete(after_ms=300), "incomplete", "max_output_tokens"),
    ],
)
async def test_an_end_in_the_middle_of_the_audio(ending: Any, status: str, reason: str | None) -> None:
    script = replies(Reply(outputs=(Say(text="0123"), Say(text="456789"), Say(text="never")), ending=ending))
    async with MemoryServer(script, voice=ToneVoice(ms_per_char=50)) as server, connected(server) as client:
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["status"] == status
        assert done["status_details"].get("reason") == reason
        if status == "failed":
            assert done["status_details"]["error"]["code"] == "rate_limit_exceeded"
        items = server.sessions[0].items
        assert [(item.generated_ms, item.status) for item in items] == [(200, "completed"), (100, "incomplete")]


class OddVoice:
    """Each message is 1,001 frames long: 41 ms and a part of one."""

    async def speak(self, text: str) -> Speech:
        return Speech(bytes(2 * 1001), (Word(text, 0),))


async def test_an_end_in_the_middle_of_a_message_that_begins_at_a_part_of_a_ms() -> None:
    reply = Reply(outputs=(Say(text="one"), Say(text="two"), Say(text="three")), ending=Incomplete(after_ms=100))
    async with MemoryServer(replies(reply), voice=OddVoice()) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        assert sum(item.generated_frames for item in server.sessions[0].items) == 2400
        assert all(delta["delta"] for delta in client.find("response.output_audio.delta"))


async def test_a_message_without_audio() -> None:
    async with MemoryServer(replies(Say(text="Unheard.", silent=True))) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        assert not client.find("response.output_audio.delta")
        assert client.find("response.output_audio_transcript.done")[0]["transcript"] == "Unheard."
        item_id = server.sessions[0].items[0].id
        error = await errors(client, "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=1)
        assert error["message"] == "Only model output audio messages can be truncated"


async def test_a_server_that_holds_less_than_it_sent() -> None:
    script = replies(Say(text="0123456789", missing_ms=85))
    async with MemoryServer(script, voice=ToneVoice(ms_per_char=100)) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        item = server.sessions[0].items[0]
        assert (item.audio_ms, item.generated_ms) == (915, 1000)
        error = await errors(client, "conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=990)
        assert error["message"] == "Audio content of 915ms is already shorter than 990ms"
        await client.send("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=915)
        await client.until("conversation.item.truncated")


async def test_one_default_response_at_a_time() -> None:
    gate = Gate()
    script = replies(Say(text="Long enough.", gate=gate, gate_ms=100), "Next.")
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        first = (await client.until("response.created"))["response"]["id"]
        await gate.reached.wait()
        error = await errors(client, "response.create")
        assert error["code"] == "conversation_already_has_active_response"
        assert error["message"] == (
            f"Conversation already has an active response in progress: {first}. "
            "Wait until the response is finished before creating a new one."
        )
        gate.open()
        await client.until("response.done")
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_a_response_out_of_band_runs_beside_and_leaves_nothing() -> None:
    gate = Gate()
    script = replies(Say(text="The conversation.", gate=gate, gate_ms=100), "Aside.")
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await client.send("response.create", response={"conversation": "none", "metadata": {"topic": "tag"}})
        aside = (await client.until("response.done"))["response"]
        assert (aside["conversation_id"], aside["metadata"]) == (None, {"topic": "tag"})
        assert aside["output"][0]["content"][0]["transcript"] == "Aside."
        assert len(client.find("conversation.item.added")) == 1
        gate.open()
        await client.until("response.done")
        assert [item.text for item in server.sessions[0].items] == ["The conversation."]
        error = await errors(client, "conversation.item.delete", item_id=aside["output"][0]["id"])
        assert error["code"] == "item_delete_invalid_item_id"


async def test_what_a_script_is_told() -> None:
    turns: list[Turn] = []

    def script(turn: Turn) -> Reply:
        turns.append(turn)
        return Reply(outputs=(Write(text="ok"),))

    async with MemoryServer(script) as server, connected(server) as client:
        await client.update(instructions="Be kind.")
        await client.say("One.")
        await client.say("Two.")
        await client.send("response.create", response={"metadata": {"n": "1"}})
        await client.until("response.done")
        await client.send("response.create", response={"instructions": "Be brief.", "conversation": "none"})
        await client.until("response.done")
        content = [{"type": "input_text", "text": "Three."}]
        reference = {"type": "item_reference", "id": client.find("conversation.item.added")[0]["item"]["id"]}
        given = [reference, {"type": "message", "role": "user", "content": content}]
        await client.send("response.create", response={"conversation": "none", "input": given})
        await client.until("response.done")
    assert [(turn.index, turn.text, turn.instructions, turn.metadata, turn.out_of_band) for turn in turns] == [
        (0, "One. Two.", "Be kind.", {"n": "1"}, False),
        (1, "", "Be brief.", {}, True),
        (2, "One. Three.", "Be kind.", {}, True),
    ]
    assert [len(turn.history) for turn in turns] == [2, 3, 2]


async def test_what_a_script_is_told_of_functions() -> None:
    """Those of the session, unless the response brings its own."""
    turns: list[Turn] = []

    def script(turn: Turn) -> Reply:
        turns.append(turn)
        return Reply(outputs=(Write(text="ok"),))

    def declared(*names: str) -> list[dict[str, Any]]:
        return [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in names]

    async with MemoryServer(script) as server, connected(server) as client:
        await client.update(tools=[*declared("a", "b"), {"type": "mcp", "server_label": "elsewhere"}])
        asked: list[dict[str, Any]] = [
            {},
            {"tools": declared("c"), "tool_choice": {"type": "function", "name": "c"}},
            {"tools": [], "tool_choice": "none"},
            {"tools": [{"type": "function"}]},
        ]
        for response in asked:
            await client.send("response.create", response=response)
            await client.until("response.done")
    assert [(turn.functions, turn.tool_choice) for turn in turns] == [
        (("a", "b"), "auto"),
        (("c",), "c"),
        ((), "none"),
        (("",), "auto"),
    ]


async def test_metadata_has_limits() -> None:
    async with MemoryServer() as server, connected(server) as client:
        for metadata in ({str(n): "" for n in range(17)}, {"k" * 65: ""}, {"k": "v" * 513}):
            error = await errors(client, "response.create", response={"metadata": metadata})
            assert error["message"].startswith("Metadata may have 16 pairs")


# -------------------------------------------------------------------------------------------------------------- cancel


async def test_cancel_ends_what_was_begun_and_announces_nothing_more() -> None:
    gate = Gate()
    script = replies(["One.", Say(text="Two is longer.", gate=gate, gate_ms=100), "Never."])
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        response_id = (await client.until("response.created"))["response"]["id"]
        await gate.reached.wait()
        await client.send("response.cancel", response_id=response_id)
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        assert [(item["status"], item["content"][0]["transcript"]) for item in done["output"]] == [
            ("completed", "One."),
            ("incomplete", "Two is longer."),
        ]
        assert without_deltas(client.types)[-6:] == [*SPOKEN_DONE, "response.done"]
        assert [(item.generated_ms, item.status) for item in server.sessions[0].items] == [
            (240, "completed"),
            (100, "incomplete"),
        ]
        count = len(server.sessions[0].log.sent)
        gate.open()
        await anyio.sleep(10)
        assert [record.type for record in server.sessions[0].log.sent[count:]] in ([], ["rate_limits.updated"])


async def test_cancel_before_the_first_audio() -> None:
    gate = Gate()
    async with MemoryServer(replies(Say(text="Nothing yet.", gate=gate))) as server, connected(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await client.send("response.cancel")
        await client.until("response.done")
        assert client.types[-4:] == ["response.content_part.done", *ITEM_DONE, "response.done"]
        assert client.find("response.output_item.done")[0]["item"]["content"] == []
        item = server.sessions[0].items[0]
        assert (item.generated_ms, item.status, item.text) == (0, "incomplete", "")


async def test_cancel_before_the_response_was_announced() -> None:
    async with MemoryServer(timing=Timing(created_ms=1000)) as server, connected(server) as client:
        await client.send("response.create")
        await client.send("response.cancel")
        await client.until("response.done")
        assert client.types[-2:] == ["response.created", "response.done"]
        assert server.sessions[0].items == ()


async def test_cancel_in_the_middle_of_a_functions_arguments() -> None:
    gate = Gate()
    call = Call(name="f", arguments='{"city": "Oslo"}', gate=gate)
    async with MemoryServer(replies(call)) as server, connected(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await client.send("response.cancel")
        await client.until("response.done")
        item = client.find("response.output_item.done")[0]["item"]
        assert (item["status"], item["arguments"]) == ("incomplete", '{"city":')


async def test_cancel_names_its_response() -> None:
    gates = Gate(), Gate()
    script = replies(Say(text="Default.", gate=gates[0]), Say(text="Aside.", gate=gates[1]))
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        default = (await client.until("response.created"))["response"]["id"]
        await client.send("response.create", response={"conversation": "none"})
        aside = (await client.until("response.created"))["response"]["id"]
        for gate in gates:
            await gate.reached.wait()
        error = await errors(client, "response.cancel", response_id="resp_nobody")
        assert error["code"] == "response_cancel_not_active"
        await client.send("response.cancel", response_id=aside)
        assert (await client.until("response.done"))["response"]["id"] == aside
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["id"] == default
        error = await errors(client, "response.cancel")
        assert error["message"] == "Cancellation failed: no active response found"


async def test_a_message_truncated_and_deleted_while_it_is_made() -> None:
    gates = Gate(), Gate()
    script = replies(
        [Say(text="First of two.", gate=gates[0], gate_ms=200), Say(text="Second.", gate=gates[1], gate_ms=100)]
    )
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await gates[0].reached.wait()
        first = server.sessions[0].items[0].id
        await client.send("conversation.item.truncate", item_id=first, content_index=0, audio_end_ms=150)
        await client.until("conversation.item.truncated")
        gates[0].open()
        await gates[1].reached.wait()
        second = server.sessions[0].items[1].id
        await client.send("conversation.item.delete", item_id=second)
        await client.until("conversation.item.deleted")
        gates[1].open()
        await client.until("response.done")
        (held,) = server.sessions[0].items
        assert (held.id, held.audio_ms, held.generated_ms, held.text) == (first, 150, 780, "")
        assert [event["item"]["id"] for event in client.find("conversation.item.done")] == [first]
        assert [event["item"]["id"] for event in client.find("response.output_item.done")] == [first, second]


# ----------------------------------------------------------------------------------------------------- the user speaks


async def test_a_spoken_turn_becomes_an_item_and_is_answered() -> None:
    timing = Timing(transcription_ms=1000)  # longer than it takes to answer
    server = MemoryServer(replies("Fine."), recognizer=Scripted("How are you?"), timing=timing)
    async with server, connected(server) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        await client.speak(utterance())
        transcript = await client.until("conversation.item.input_audio_transcription.completed")
        assert without_deltas(client.types)[2:8] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        started, stopped = client.events[2:4]
        assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (0, 1200)
        user, answer = server.sessions[0].items
        assert {started["item_id"], stopped["item_id"], client.events[4]["item_id"]} == {user.id}
        assert (user.role, user.text, user.audio_ms) == ("user", "How are you?", 1200)
        assert (answer.role, answer.text) == ("assistant", "Fine.")
        assert (transcript["item_id"], transcript["transcript"]) == (user.id, "How are you?")


async def test_the_script_hears_what_the_recogniser_heard_also_without_captions() -> None:
    heard: list[str] = []

    def script(turn: Turn) -> Reply:
        heard.append(turn.text)
        return Reply(outputs=(Say(text="ok"),))

    server = MemoryServer(script, recognizer=Scripted("First.", "Second."))
    async with server, connected(server) as client:
        for _ in range(2):
            await client.speak(utterance())
            await client.until("response.done")
        assert heard == ["First.", "Second."]
        assert not client.find("conversation.item.input_audio_transcription.completed")


async def test_a_transcript_nobody_can_give_has_failed() -> None:
    server = MemoryServer(replies("Fine."), timing=Timing(transcription_ms=0))
    async with server, connected(server) as client:
        await client.update(audio={"input": {"transcription": {"model": "any"}}})
        await client.speak(utterance())
        failed = await client.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["message"] == "this server has no recogniser"
        await client.until("response.done")


async def test_barge_in_cancels_the_active_response() -> None:
    gate = Gate()
    script = replies(["One.", Say(text="Two is longer.", gate=gate, gate_ms=100)], "Sorry.")
    async with MemoryServer(script) as server, connected(server) as client:
        await client.send("response.create")
        await gate.reached.wait()
        await client.speak(utterance())
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert client.types.index("input_audio_buffer.speech_started") < client.types.index("response.done")
        await client.until("response.done")
        assert [(item.role, item.status) for item in server.sessions[0].items] == [
            ("assistant", "completed"),
            ("assistant", "incomplete"),
            ("user", "completed"),
            ("assistant", "completed"),
        ]


async def test_a_server_told_not_to_interrupt_lets_the_response_end_and_cannot_answer_meanwhile() -> None:
    gate = Gate()
    async with MemoryServer(replies(Say(text="Long.", gate=gate, gate_ms=100))) as server, connected(server) as client:
        await client.update(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
        await client.send("response.create")
        await gate.reached.wait()
        await client.speak(utterance())
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", None)
        gate.open()
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_a_server_told_not_to_answer_does_not() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await client.update(audio={"input": {"turn_detection": {"type": "server_vad", "create_response": False}}})
        await client.speak(utterance())
        await client.until("conversation.item.done")
        await anyio.sleep(60)
        assert "response.created" not in [record.type for record in server.sessions[0].log.sent]


async def test_without_detection_the_client_commits() -> None:
    async with MemoryServer(replies("Yes.")) as server, connected(server) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        await client.speak(utterance())
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.done")
        assert not client.find("input_audio_buffer.speech_started")
        assert server.sessions[0].items[0].audio_ms == 1400
        error = await errors(client, "input_audio_buffer.commit")
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert "buffer only has 0.00ms of audio." in error["message"]
        await client.speak(tone(500))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert (await errors(client, "input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
        await anyio.sleep(60)
        assert "response.created" not in [record.type for record in server.sessions[0].log.sent]


async def test_a_cough_is_no_turn() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await client.speak(silence(500) + tone(40) + silence(2000))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        assert client.types == ["session.created", "input_audio_buffer.cleared"]


# --------------------------------------------------------------------------------------------------------------- items


async def test_an_item_is_created_retrieved_and_deleted() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await client.say("Second.")
        content = [{"type": "input_text", "text": "First."}]
        item = {"id": "mine", "type": "message", "role": "system", "content": content}
        await client.send("conversation.item.create", item=item, previous_item_id="root")
        added = (await client.until("conversation.item.added", 2))["item"]
        assert client.events[-1]["previous_item_id"] is None
        assert (added["id"], added["status"], added["content"]) == ("mine", "completed", content)
        await client.send("conversation.item.retrieve", item_id="mine")
        assert (await client.until("conversation.item.retrieved"))["item"] == added
        await client.send("conversation.item.delete", item_id="mine")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "mine"
        error = await errors(client, "conversation.item.retrieve", item_id="mine")
        assert error["message"] == "Error retrieving item: the item with id 'mine' does not exist."
        assert [item.text for item in server.sessions[0].items] == ["Second."]


async def test_an_id_that_a_client_brought_is_not_given_again() -> None:
    async with MemoryServer(replies(["One.", "Two."])) as server, connected(server) as client:
        ours = [f"item_{number:06}" for number in range(2, 5)]
        for item_id in ours:
            await client.send("conversation.item.create", item={"id": item_id, "type": "message", "role": "user"})
        await client.send("response.create")
        await client.until("response.done")
        items = server.sessions[0].items
        assert len({item.id for item in items}) == 5
        assert [item.text for item in items] == ["", "", "", "One.", "Two."]


async def test_retrieved_items_bring_their_audio() -> None:
    async with MemoryServer(replies("Hello.")) as server, connected(server) as client:
        await client.send("response.create")
        await client.until("response.done")
        item_id = server.sessions[0].items[0].id
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        await client.until("conversation.item.truncated")
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
        assert base64.b64decode(part["audio"]) == client.audio(item_id)[:4800]
        assert part["transcript"] is None


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "x"}]},
            "Missing required parameter: 'item.content[0].text'.",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "text", "text": "x"}]},
            "Invalid value: 'text'. Supported values are: 'input_text', 'input_audio', 'input_image'.",
        ),
        ({"type": "message", "content": []}, "Missing required parameter: 'item.role'."),
        (
            {"type": "sculpture"},
            "Invalid value: 'sculpture'. Supported values are: 'message', 'function_call', 'function_call_output'.",
        ),
        ({"type": "function_call", "arguments": "{}"}, "Missing required parameter: 'item.name'."),
        (
            {"type": "message", "role": "user", "id": "x" * 33},
            "Invalid 'item.id': string too long. Expected a string with maximum length 32.",
        ),
        (
            {"type": "function_call_output", "call_id": "call_9", "output": ""},
            "Tool call ID 'call_9' not found in conversation.",
        ),
    ],
)
async def test_items_that_cannot_be_created(item: dict[str, Any], message: str) -> None:
    async with MemoryServer() as server, connected(server) as client:
        assert (await errors(client, "conversation.item.create", item=item))["message"] == message
        assert server.sessions[0].items == ()


async def test_commands_are_answered_in_their_order() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await client.say("One.")
        item_id = (await client.until("conversation.item.done"))["item"]["id"]
        for event_type in ("delete", "delete", "retrieve"):
            await client.send(f"conversation.item.{event_type}", item_id=item_id)
        await client.say("Two.")
        await client.until("conversation.item.done")
        assert client.types[3:] == [
            "conversation.item.deleted",
            "error",
            "error",
            "conversation.item.added",
            "conversation.item.done",
        ]


# ----------------------------------------------------------------------------------------------------- bad input, ends


@pytest.mark.parametrize(
    ("frame", "code", "message", "event_id"),
    [
        ("{", "invalid_json", "The event could not be read as JSON: Input data was truncated", None),
        ("", "invalid_json", "The event could not be read as JSON: Input data was truncated", None),
        ('{"x": ' + "[" * 5000, "invalid_json", "The event could not be read as JSON", None),
        (b"{}", "invalid_event", "Events are text frames: this one of 2 bytes is binary.", None),
        ("{}", "missing_required_parameter", "Missing required parameter: 'type'.", None),
        ('{"type": "dance", "event_id": "e1"}', "invalid_value", "Invalid event: Invalid value 'dance'", "e1"),
        ('{"type": 5, "event_id": 5}', "invalid_value", "Invalid event: ", None),
        (
            '{"type": "conversation.item.delete", "event_id": "e2"}',
            "missing_required_parameter",
            "Missing required parameter: 'item_id'.",
            "e2",
        ),
        (
            '{"type": "session.update", "event_id": "e3", "session": {}}',
            "missing_required_parameter",
            "Missing required parameter: 'session.type'.",
            "e3",
        ),
        (
            '{"type": "input_audio_buffer.append", "event_id": "e4", "audio": "%%%"}',
            "invalid_value",
            "Invalid event: Invalid base64 encoded string - at `$.audio`",
            "e4",
        ),
        (
            '{"type": "output_audio_buffer.clear", "event_id": "e5"}',
            "invalid_value",
            "Over a websocket the client plays the audio: there is no output audio buffer to clear.",
            "e5",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_the_session_lives(
    frame: str | bytes, code: str, message: str, event_id: str | None
) -> None:
    async with MemoryServer(replies("Alive.")) as server, connected(server) as client:
        await client.socket.send(frame)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == (code, event_id)
        assert error["message"].startswith(message)
        await client.send("response.create")
        await client.until("response.done")


async def test_odd_audio_is_taken() -> None:
    async with MemoryServer() as server, connected(server) as client:
        pcm = utterance()
        await client.send("input_audio_buffer.append", audio=base64.b64encode(pcm[:1001]).decode())
        await client.send("input_audio_buffer.append", audio=base64.b64encode(pcm[1001:]).decode())
        await client.until("input_audio_buffer.committed")
        assert server.sessions[0].items[0].audio_ms == 1200


async def test_a_session_ends_with_its_socket_and_stays_readable() -> None:
    async with MemoryServer() as server:
        async with connected(server) as client:
            await client.say("Hello.")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
        session = server.sessions[0]
        await session.closed.wait()
        assert [item.role for item in session.items] == ["user", "assistant"]
        async with connected(server) as client:
            await client.say("Again.")
            item_id = (await client.until("conversation.item.done"))["item"]["id"]
        assert item_id not in [item.id for item in session.items]
        assert len(server.sessions) == 2


async def test_what_arrived_before_the_end_has_taken_effect() -> None:
    async with MemoryServer(replies("Hello there."), timing=Timing(command_ms=500)) as server:
        async with connected(server) as client:
            await client.send("response.create")
            done = await client.until("response.done")
            item_id = done["response"]["output"][0]["id"]
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        await server.sessions[0].closed.wait()
        assert server.sessions[0].items[0].audio_ms == 100


async def test_a_server_that_runs_long_keeps_nothing_of_what_ended() -> None:
    async with MemoryServer(keep=False) as server:
        async with connected(server) as client:
            await client.say("Hello.")
            await client.until("conversation.item.done")
            session = server.sessions[0]
            assert not session.log.records
        await session.closed.wait()
        await anyio.sleep(0.01)
        assert server.sessions == []


async def test_a_server_hangs_up() -> None:
    async with MemoryServer() as server, connected(server) as client:
        await server.sessions[0].close(1001, "Your session hit the maximum duration of 60 minutes.")
        with pytest.raises(SocketClosed, match="maximum duration of 60 minutes") as closed:
            await client.receive()
        assert closed.value.code == 1001


async def test_a_script_that_raises_ends_the_server_with_its_error() -> None:
    def script(turn: Turn) -> Reply:
        raise ZeroDivisionError(turn.index)

    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with MemoryServer(script) as server, connected(server) as client:
            await client.send("response.create")
            await anyio.sleep_forever()


async def test_an_error_in_the_block_leaves_it_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with MemoryServer():
            raise ZeroDivisionError


async def test_a_client_that_does_not_read_holds_up_the_audio_only() -> None:
    server = MemoryServer(replies("x" * 200), timing=Timing(speed=float("inf")))
    async with server, server.connect(Endpoint(url="ws://memory?model=m")) as socket:
        client = Client(socket)
        await client.send("response.create")
        await anyio.sleep(60)
        generated_ms = server.sessions[0].items[0].generated_ms
        assert 0 < generated_ms < 5000
        await client.send("conversation.item.delete", item_id=server.sessions[0].items[0].id)
        await anyio.sleep(60)
        assert server.sessions[0].items == ()
        await client.until("response.done")
        assert len(client.audio(client.find("response.output_item.added")[0]["item"]["id"])) == 12_000 * 48
