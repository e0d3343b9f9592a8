"""What the golden traces, and single frames of them, mean in our words."""

import base64
import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from rtactors import events
from rtactors.events import (
    AudioDelta,
    AudioDone,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Item,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemTruncated,
    OutputDone,
    OutputStarted,
    ProviderError,
    ProviderEvent,
    ResponseDone,
    ResponseStarted,
    SessionConfigured,
    SessionStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TextDone,
    Unknown,
)
from rtactors.providers.openai.decode import decode
from tests.providers.openai_traces import FROM_SERVER, NAMES, Line, trace


def read(event: dict[str, Any]) -> Sequence[ProviderEvent]:
    return decode(json.dumps(event))


def said(name: str) -> list[ProviderEvent]:
    return [event for line in trace(name) if line.dir == "s" for event in decode(line.frame)]


def audio_of(name: str, item_id: str) -> bytes:
    """The audio of an item, by the JSON itself."""
    return b"".join(
        base64.b64decode(line.event["delta"])
        for line in trace(name)
        if line.event["type"] in {"response.output_audio.delta", "response.audio.delta"}
        and line.event["item_id"] == item_id
    )


def spoken(item_id: str, text: str, phase: str | None = None, status: events.ItemStatus = "completed") -> Item:
    return Item(id=item_id, role="assistant", text=text, phase=phase, status=status)


def announced(item_id: str, phase: str | None = None) -> Item:
    return spoken(item_id, "", phase, "in_progress")


MEANINGLESS = {
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
}


@pytest.mark.parametrize("line", FROM_SERVER, ids=str)
def test_every_golden_frame_is_understood(line: Line) -> None:
    for frame in (line.frame, line.frame.encode()):
        decoded = decode(frame)
        assert len(decoded) == (line.event["type"] not in MEANINGLESS)
        for event in decoded:
            assert isinstance(event, get_args(events.ProviderEvent))
            assert not isinstance(event, Unknown)
            assert line.event["type"] == "error" or not isinstance(event, ProviderError)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_audio_are_whole(name: str) -> None:
    """Deltas add up to what the end says, and no byte of audio is lost."""
    text: dict[str, str] = {}
    audio: dict[str, bytes] = {}
    for event in said(name):
        match event:
            case TextDelta():
                text[event.item_id] = text.get(event.item_id, "") + event.text
            case TextDone():
                assert text[event.item_id] == event.text
            case AudioDelta():
                audio[event.item_id] = audio.get(event.item_id, b"") + event.audio
            case ResponseDone():
                for item in event.output:
                    if item.kind == "message":
                        assert item.text == text.get(item.id, "")
            case _:
                pass
    assert text
    for item_id, heard in audio.items():
        assert heard == audio_of(name, item_id)
        assert len(heard) % 960 == 0  # 20 ms


def test_a_whole_answer() -> None:
    name, user = "single_message_full", Item(id="item_u1", role="user")
    audio = audio_of(name, "item_a1")
    deltas = [AudioDelta("resp_1", "item_a1", audio[at : at + 960]) for at in range(0, len(audio), 960)]
    answer = spoken("item_a1", "Hello and welcome.")
    assert said(name) == [
        SessionStarted("sess_g1", 1790003600),
        SessionConfigured(),
        SpeechStarted("item_u1", 60),
        SpeechStopped("item_u1", 780),
        InputCommitted("item_u1", None),
        ItemAdded(user, None),
        ItemDone(user),
        ResponseStarted("resp_1"),
        OutputStarted("resp_1", 0, announced("item_a1")),
        ItemAdded(announced("item_a1"), "item_u1"),
        TextDelta("resp_1", "item_a1", "Hello"),
        *deltas[:2],
        InputTranscript("item_u1", "Hi there."),
        InputTranscript("item_u1", "Hi there.", final=True),
        TextDelta("resp_1", "item_a1", " and welcome."),
        *deltas[2:],
        AudioDone("resp_1", "item_a1"),
        TextDone("resp_1", "item_a1", "Hello and welcome."),
        ItemDone(answer),
        OutputDone("resp_1", 0, answer),
        ResponseDone("resp_1", "completed", output=(answer,)),
    ]


def test_several_messages_of_one_response() -> None:
    decoded = said("multi_message_full")
    assert [event for event in decoded if isinstance(event, OutputStarted)] == [
        OutputStarted("resp_1", 0, announced("item_a1", "commentary")),
        OutputStarted("resp_1", 1, announced("item_a2", "final_answer")),
        OutputStarted("resp_2", 0, announced("item_b1", "commentary")),
        OutputStarted("resp_2", 1, announced("item_b2", "commentary")),
        OutputStarted("resp_2", 2, announced("item_b3", "final_answer")),
    ]
    assert [event for event in decoded if isinstance(event, ResponseDone)] == [
        ResponseDone(
            "resp_1",
            "completed",
            output=(
                spoken("item_a1", "Let me check.", "commentary"),
                spoken("item_a2", "It is ten o'clock.", "final_answer"),
            ),
        ),
        ResponseDone(
            "resp_2",
            "completed",
            output=(
                spoken("item_b1", "One moment.", "commentary"),
                spoken("item_b2", "Still looking.", "commentary"),
                spoken("item_b3", "Here it is.", "final_answer"),
            ),
        ),
    ]
    ends = [event.item_id for event in decoded if isinstance(event, AudioDone)]
    assert ends == ["item_a1", "item_a2", "item_b1", "item_b2", "item_b3"]


def test_a_barge_in() -> None:
    decoded = said("barge_in_second_message")
    cut = decoded.index(SpeechStarted("item_u2", 1080))
    bytes_before = {"item_a1": 0, "item_a2": 0, "item_a3": 0}
    for event in decoded[:cut]:
        if isinstance(event, AudioDelta):
            bytes_before[event.item_id] += len(event.audio)
    assert bytes_before == {"item_a1": 2 * 960, "item_a2": 3 * 960, "item_a3": 2 * 960}
    after = decoded[cut:]
    assert (
        ResponseDone(
            "resp_1",
            "cancelled",
            reason="turn_detected",
            output=(
                spoken("item_a1", "First part.", "commentary"),
                spoken("item_a2", "Second part goes on.", "commentary"),
                spoken("item_a3", "Third", "final_answer", "incomplete"),
            ),
        )
        in after
    )
    assert [event for event in after if isinstance(event, ItemTruncated)] == [ItemTruncated("item_a2", 30)]
    assert [event for event in after if isinstance(event, ItemDeleted)] == [ItemDeleted("item_a3")]
    assert ResponseStarted("resp_2") in after


def test_refused_operations_name_who_asked() -> None:
    def errors(name: str) -> list[ProviderEvent]:
        return [event for event in said(name) if isinstance(event, ProviderError)]

    assert errors("interrupted_before_first_audio") == [
        ProviderError(
            kind="not_truncatable",
            code="unsupported_content_type",
            message="Only model output audio messages can be truncated",
            operation_id="trunc_bad",
        )
    ]
    assert errors("active_response_conflict") == [
        ProviderError(
            kind="busy",
            code="conversation_already_has_active_response",
            message="Conversation already has an active response in progress: resp_1. "
            "Wait until the response is finished before creating a new one.",
            operation_id="rc_2",
            response_id="resp_1",
        ),
        ProviderError(
            kind="not_active",
            code="response_cancel_not_active",
            message="Cancellation failed: no active response found",
            operation_id="cancel_1",
        ),
    ]
    assert errors("delete_race_with_context_update") == [
        ProviderError(
            kind="absent",
            code="item_delete_invalid_item_id",
            message="Error deleting item: the item with id 'item_a1' does not exist.",
            operation_id="ctx_del_a1",
        ),
        ProviderError(
            kind="absent",
            code="item_retrieve_invalid_item_id",
            message="Error retrieving item: the item with id 'item_a1' does not exist.",
            operation_id="get_a1",
        ),
    ]


def test_an_item_at_the_front_has_nothing_before_it() -> None:
    note = Item(id="item_n1", role="system", text="User prefers short answers.")
    decoded = said("delete_race_with_context_update")
    assert ItemAdded(note, None) in decoded
    assert decoded.count(ItemDeleted("item_a1")) == 1


def test_a_function_call() -> None:
    decoded = said("function_call_then_reply")
    call = Item(id="item_f1", kind="function_call", name="get_weather", call_id="call_1", arguments='{"city":"Oslo"}')
    asked = Item(id="item_f1", kind="function_call", name="get_weather", call_id="call_1", status="in_progress")
    output = Item(id="item_o1", kind="function_call_output", call_id="call_1", output='{"temp_c":4}')
    about_it = [
        event
        for event in decoded
        if (isinstance(event, OutputStarted | OutputDone) and event.output_index == 1)
        or (isinstance(event, ItemAdded | ItemDone) and event.item.kind != "message")
    ]
    assert about_it == [
        OutputStarted("resp_1", 1, asked),
        ItemAdded(asked, "item_a1"),
        ItemDone(call),
        OutputDone("resp_1", 1, call),
        ItemAdded(output, "item_f1"),
        ItemDone(output),
    ]
    first = next(event for event in decoded if isinstance(event, ResponseDone))
    assert first.output == (spoken("item_a1", "Checking.", "commentary"), call)


def test_the_names_of_the_beta() -> None:
    name, user = "beta_names", Item(id="item_u1", role="user")
    audio = audio_of(name, "item_a1")
    answer, tag = spoken("item_a1", "Hello."), spoken("item_x1", "ok")
    assert said(name) == [
        SessionStarted("sess_b1"),
        SessionConfigured(),
        SpeechStarted("item_u1", 60),
        SpeechStopped("item_u1", 780),
        InputCommitted("item_u1", None),
        ItemAdded(user, None),
        ResponseStarted("resp_1"),
        OutputStarted("resp_1", 0, announced("item_a1")),
        ItemAdded(announced("item_a1"), "item_u1"),
        TextDelta("resp_1", "item_a1", "Hello."),
        AudioDelta("resp_1", "item_a1", audio[:960]),
        AudioDelta("resp_1", "item_a1", audio[960:]),
        AudioDone("resp_1", "item_a1"),
        TextDone("resp_1", "item_a1", "Hello."),
        OutputDone("resp_1", 0, answer),
        ResponseDone("resp_1", "completed", output=(answer,)),
        ResponseStarted("resp_2", out_of_band=True),
        OutputStarted("resp_2", 0, announced("item_x1")),
        TextDelta("resp_2", "item_x1", "ok", spoken=False),
        TextDone("resp_2", "item_x1", "ok", spoken=False),
        OutputDone("resp_2", 0, tag),
        ResponseDone("resp_2", "completed", output=(tag,)),
    ]


# ------------------------------------------------------------------------------------------------- single frames


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"conversation_id": "conv_1"}, ResponseStarted("r")),
        ({}, ResponseStarted("r")),  # a server that never names a conversation
        ({"conversation_id": None}, ResponseStarted("r", out_of_band=True)),
        ({"conversation_id": None, "metadata": {"rtactors_request": "op_1"}}, ResponseStarted("r", "op_1")),
        (
            {"metadata": {"rtactors_request_out_of_band": "op_1", "mine": "x"}},
            ResponseStarted("r", "op_1", out_of_band=True),
        ),
        ({"conversation_id": "c", "metadata": {"rtactors_request": 7}}, ResponseStarted("r")),
    ],
)
def test_a_response_tells_who_asked_and_where_it_belongs(response: dict[str, Any], expected: ResponseStarted) -> None:
    assert list(read({"type": "response.created", "response": {"id": "r", **response}})) == [expected]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"status": "completed", "usage": None}, ResponseDone("r", "completed")),
        ({}, ResponseDone("r", "completed")),
        ({"status_details": {"type": "cancelled"}}, ResponseDone("r", "cancelled")),
        ({"status": "paused"}, ResponseDone("r", "failed", "paused")),
        (
            {"status": "cancelled", "status_details": {"type": "cancelled", "reason": "client_cancelled"}},
            ResponseDone("r", "cancelled", "client_cancelled"),
        ),
        (
            {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}},
            ResponseDone("r", "incomplete", "max_output_tokens"),
        ),
        (
            {"status": "failed", "status_details": {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}}},
            ResponseDone("r", "failed", "rate_limit_exceeded", "Slow down"),
        ),
        (
            {"status": "failed", "status_details": {"error": {"type": "server_error", "code": None, "message": "Oh"}}},
            ResponseDone("r", "failed", "server_error", "Oh"),
        ),
    ],
)
def test_how_a_response_ended(response: dict[str, Any], expected: ResponseDone) -> None:
    assert list(read({"type": "response.done", "response": {"id": "r", **response}})) == [expected]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("insufficient_quota", "fatal"), ("model_not_found", "fatal"), ("session_expired", "expired")],
)
def test_a_failed_response_can_end_the_session(code: str, kind: events.ErrorKind) -> None:
    """OpenAI tells these in `response.done`, without an `error` event."""
    response = {
        "id": "r",
        "status": "failed",
        "status_details": {"type": "failed", "error": {"code": code, "message": "Sorry."}},
        "metadata": {"rtactors_request": "op_1"},
    }
    assert list(read({"type": "response.done", "response": response})) == [
        ResponseDone("r", "failed", code, "Sorry.", request_id="op_1"),
        ProviderError(kind=kind, code=code, message="Sorry.", operation_id="op_1"),
    ]


def test_items_of_any_shape() -> None:
    def item(**fields: Any) -> Item:
        (event,) = read({"type": "conversation.item.done", "item": {"id": "i", **fields}})
        assert isinstance(event, ItemDone)
        return event.item

    parts = [
        {"type": "output_audio", "transcript": "One, "},
        {"type": "output_text", "text": "two, "},
        {"type": "hologram", "shape": [1, 2]},
        {"type": "audio", "transcript": None},
        {"text": "three."},
    ]
    assert item(type="message", role="assistant", content=parts).text == "One, two, three."
    assert item(type="message", role="assistant", content=None).text == ""
    assert item(type="message", role="narrator").role is None
    assert item(type="message", role="user", status="odd").status == "completed"
    assert item(type="mcp_call", name="n", arguments="{}", output=None) == Item(
        id="i", kind="other", name="n", arguments="{}"
    )
    assert item(type="web_search_call", action={"q": 1}).kind == "other"


def test_output_without_an_id_is_left_out() -> None:
    output = [{"type": "message"}, {"type": "message", "id": "i", "role": "assistant"}]
    (done,) = read({"type": "response.done", "response": {"id": "r", "status": "completed", "output": output}})
    assert isinstance(done, ResponseDone)
    assert [item.id for item in done.output] == ["i"]


def test_fractions_of_a_millisecond() -> None:
    assert list(read({"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 60.7})) == [
        SpeechStarted("i", 60)
    ]


SPOKEN = {"response_id": "r", "item_id": "i", "content_index": 1, "delta": " word"}


@pytest.mark.parametrize("kind", ["response.output_audio_transcript.delta", "response.audio_transcript.delta"])
@pytest.mark.parametrize(
    ("start_time", "start_ms"), [(0, 0), (0.0, 0), (1.2345, 1234), (3, 3000), (12.0006, 12001), (3600.5, 3_600_500)]
)
def test_when_a_word_is_spoken_if_the_server_says_it(kind: str, start_time: float, start_ms: int) -> None:
    told = {"type": kind, "start_time": start_time, **SPOKEN}
    assert read(told) == (TextDelta("r", "i", " word", part=1, start_ms=start_ms),)


@pytest.mark.parametrize("wrong", [None, -1, -0.001, 1e300, 10**400, True, "1.5", "", [1.5], {"seconds": 1}])
def test_what_can_be_no_time_costs_no_word(wrong: Any) -> None:
    told = {"type": "response.output_audio_transcript.delta", "start_time": wrong, **SPOKEN}
    assert read(told) == (TextDelta("r", "i", " word", part=1),)


def test_what_is_shown_has_no_word_times() -> None:
    told = {"type": "response.output_text.delta", "start_time": 1.5, **SPOKEN}
    assert read(told) == (TextDelta("r", "i", " word", spoken=False, part=1),)


def test_a_transcription_that_failed() -> None:
    def failed(error: dict[str, Any]) -> list[ProviderEvent]:
        kind = "conversation.item.input_audio_transcription.failed"
        return list(read({"type": kind, "item_id": "i", "content_index": 0, "error": error}))

    assert failed({"message": "Too noisy", "code": "x"}) == [InputTranscriptFailed("i", "Too noisy")]
    assert failed({"code": "audio_unintelligible"}) == [InputTranscriptFailed("i", "audio_unintelligible")]
    assert failed({}) == [InputTranscriptFailed("i", "")]


def test_an_empty_piece_of_transcript_is_no_event() -> None:
    kind = "conversation.item.input_audio_transcription.delta"
    assert list(read({"type": kind, "item_id": "i", "delta": None})) == []


def test_a_piece_of_audio_may_end_inside_a_frame() -> None:
    odd = base64.b64encode(b"\x01\x02\x03").decode()
    event = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": odd}
    assert list(read(event)) == [AudioDelta("r", "i", b"\x01\x02\x03")]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.timeout_triggered", "item_id": "i", "audio_start_ms": 1, "audio_end_ms": 2},
        {"type": "input_audio_buffer.dtmf_event_received", "event": "9", "received_at": 1763605213},
        {"type": "output_audio_buffer.started", "response_id": "r"},
        {"type": "conversation.created", "conversation": {"id": "conv_1"}},
        {"type": "mcp_list_tools.completed", "item_id": "i"},
        {"type": "response.mcp_call.failed", "item_id": "i", "output_index": 0},
    ],
    ids=lambda event: event["type"],
)
def test_known_and_of_no_concern(event: dict[str, Any]) -> None:
    assert list(read(event)) == []


@pytest.mark.parametrize(
    "event", [{"type": "ping", "timestamp": 5}, {"n": [{"type": "error"}], "type": "response.odd"}]
)
def test_unknown_types_pass_by_name(event: dict[str, Any]) -> None:
    assert list(read(event)) == [Unknown(event["type"])]
