"""What a V1 server's frames mean in our words, with the responses and items that they don't name."""

import base64
import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtactors import events
from rtactors.events import (
    AudioDelta,
    AudioDone,
    HandoffRequested,
    InputCommitted,
    InputTranscript,
    Item,
    ItemAdded,
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
from rtactors.providers.quicksilver.decode import Reader

AUDIO = bytes(range(96))
SOUND: dict[str, Any] = {
    "type": "conversation.output_audio.delta",
    "delta": base64.b64encode(AUDIO).decode(),
    "sample_rate": 24000,
    "channels": 1,
}
UPDATED = {"type": "session.updated", "session": {"id": "s1", "instructions": ".."}}


def user(delta: str, **fields: Any) -> dict[str, Any]:
    return {"type": "conversation.input_transcript.delta", "delta": delta, **fields}


def marked(transcript: str, **fields: Any) -> dict[str, Any]:
    return {"type": "conversation.input_transcript.turn_marked", "transcript": transcript, **fields}


def agent(delta: str) -> dict[str, Any]:
    return {"type": "conversation.output_transcript.delta", "delta": delta}


def item(kind: str, item_id: str, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {"type": f"conversation.item.{kind}", "item": {"type": "message", "id": item_id, "role": role, **fields}}


def handoff(text: str, item_id: str = "i1") -> dict[str, Any]:
    return {
        "type": "conversation.handoff.requested",
        "handoff_id": "h1",
        "item_id": item_id,
        "input_transcript": text,
    }


def read(*frames: dict[str, Any], reader: Reader | None = None) -> list[ProviderEvent]:
    reader = reader or Reader()
    reader.decode(json.dumps(UPDATED))
    return [event for frame in frames for event in reader.decode(json.dumps(frame))]


def announced(item_id: str, response_id: str) -> list[ProviderEvent]:
    new = Item(id=item_id, role="assistant", status="in_progress")
    return [ResponseStarted(response_id), OutputStarted(response_id, 0, new), ItemAdded(new)]


def ended(item_id: str, response_id: str, text: str) -> list[ProviderEvent]:
    return [
        AudioDone(response_id, item_id),
        OutputDone(response_id, 0, Item(id=item_id, role="assistant", text=text)),
        ResponseDone(response_id, "completed"),
    ]


def test_an_update_greets_and_confirms() -> None:
    assert Reader().decode(json.dumps(UPDATED)) == (SessionStarted("s1"), SessionConfigured())


def test_a_message_from_its_item_to_its_end() -> None:
    heard = read(item("added", "a1"), agent("Sure."), SOUND, item("done", "a1"), item("done", "a1"))
    assert heard == [
        *announced("a1", "response_s1_1"),
        TextDelta("response_s1_1", "a1", "Sure."),
        AudioDelta("response_s1_1", "a1", AUDIO),
        *ended("a1", "response_s1_1", "Sure."),
    ]


def test_a_message_that_began_before_its_item() -> None:
    heard = read(agent("Su"), item("added", "a1"), SOUND, agent("re."), item("done", "a1"))
    assert heard[:3] == announced("message_s1_1", "response_s1_2")
    assert heard[-3:] == ended("message_s1_1", "response_s1_2", "Sure.")
    assert [type(event) for event in heard[3:-3]] == [TextDelta, AudioDelta, TextDelta]


def test_without_items_a_message_ends_with_what_comes_next() -> None:
    done = {"type": "response.output_audio_transcript.done", "transcript": "One."}
    heard = read(SOUND, agent("One."), done, SOUND, agent("Two."))
    ends = [event for event in heard if isinstance(event, OutputDone)]
    assert [each.item.text for each in ends] == ["One."]
    assert sum(isinstance(event, AudioDelta) and event.item_id == ends[0].item.id for event in heard) == 2
    assert isinstance(heard[-1], TextDelta)
    assert heard[-1].item_id != ends[0].item.id


def test_a_message_that_is_only_text_ends_when_all_of_it_is_told() -> None:
    done = {"type": "response.output_audio_transcript.done", "transcript": "One."}
    heard = read(agent("One."), done)
    assert heard[-4:] == [
        TextDone("response_s1_2", "message_s1_1", "One."),
        *ended("message_s1_1", "response_s1_2", "One."),
    ]


def test_the_next_item_ends_the_one_before() -> None:
    heard = read(item("added", "a1"), agent("One."), item("added", "a2"), agent("Two."), item("done", "a2"))
    assert [event.item.id for event in heard if isinstance(event, OutputDone)] == ["a1", "a2"]
    assert len({event.response_id for event in heard if isinstance(event, ResponseDone)}) == 2


def test_a_turn_of_the_user() -> None:
    reader = Reader()
    reader.decode(json.dumps(UPDATED))
    reader.sent(bytes(24_000))
    heard = read(user("list"), user(" the files"), marked("List the files."), reader=reader)
    assert heard == [
        SpeechStarted("turn_s1_1", 0),
        InputTranscript("turn_s1_1", "list"),
        InputTranscript("turn_s1_1", " the files"),
        SpeechStopped("turn_s1_1", 500),
        InputCommitted("turn_s1_1"),
        InputTranscript("turn_s1_1", "List the files.", final=True),
    ]


def test_a_turn_that_nobody_completes_is_complete_when_it_was_answered() -> None:
    heard = read(user("hello"), item("added", "a1"), agent("Hi."), item("done", "a1"), user("bye"))
    assert heard[2:4] == [SpeechStopped("turn_s1_1", 0), InputCommitted("turn_s1_1")]
    assert InputTranscript("turn_s1_1", "hello", final=True) in heard
    assert heard[-2:] == [SpeechStarted("turn_s1_3", 0), InputTranscript("turn_s1_3", "bye")]


def test_words_that_trail_belong_to_their_turn_and_message() -> None:
    """The golden order: the handoff comes before the end of both."""
    heard = read(
        user("please run the tests"),
        agent("On it"),
        handoff("please run the tests"),
        user(" on main"),
        agent(", one sec."),
    )
    assert [event.item_id for event in heard if isinstance(event, InputTranscript)] == ["turn_s1_1"] * 2
    assert [event.item_id for event in heard if isinstance(event, TextDelta)] == ["message_s1_2"] * 2
    assert HandoffRequested("h1", "turn_s1_1", "please run the tests") in heard
    assert sum(isinstance(event, SpeechStarted) for event in heard) == 1


def test_a_turn_that_is_completed_late_is_not_a_new_one() -> None:
    """openai/codex#35517: what completes after the handoff is no second copy."""
    heard = read(
        user("run the test"),
        agent("On it."),
        handoff("run the test"),
        {"type": "response.output_audio_transcript.done", "transcript": "On it."},
        marked("Run the tests."),
        marked("Run the tests."),
    )
    assert {event.item_id for event in heard if isinstance(event, InputTranscript)} == {"turn_s1_1"}
    finals = [event.text for event in heard if isinstance(event, InputTranscript) and event.final]
    assert finals == ["run the test", "Run the tests."]


def test_a_new_turn_interrupts_what_is_said() -> None:
    heard = read(user("hi"), marked("Hi."), item("added", "a1"), agent("Once upon"), SOUND, user("stop"))
    speech = heard.index(SpeechStarted("turn_s1_3", 0))
    assert heard[speech + 1 : speech + 4] == [
        AudioDone("response_s1_2", "a1"),
        OutputDone("response_s1_2", 0, Item(id="a1", role="assistant", text="Once upon", status="incomplete")),
        ResponseDone("response_s1_2", "cancelled", "turn_detected"),
    ]


@pytest.mark.parametrize(
    "before",
    [
        [item("added", "u1", "user")],
        [handoff("hello", "u1")],
        [item("added", "u1", "user", content=[]), handoff("hello")],
    ],
)
def test_ids_that_the_server_has_given(before: list[dict[str, Any]]) -> None:
    heard = read(*before, user("hello"), marked("Hello."))
    named = {event.item_id for event in heard if isinstance(event, InputTranscript | HandoffRequested)}
    assert named == {"u1"}


def test_transcripts_that_name_their_item() -> None:
    heard = read(
        user("one", item_id="u1"), user("two", item_id="u2"), marked("One.", item_id="u1"), marked("Two.", item_id="u2")
    )
    words = [(event.item_id, event.text, event.final) for event in heard if isinstance(event, InputTranscript)]
    assert words == [
        ("u1", "one", False),
        ("u1", "one", True),
        ("u2", "two", False),
        ("u1", "One.", True),
        ("u2", "Two.", True),
    ]
    assert [event.item_id for event in heard if isinstance(event, InputCommitted)] == ["u1", "u2"]


def test_a_handoff_of_a_turn_that_was_answered() -> None:
    heard = read(user("list files"), agent("Sure."), item("added", "a1"), item("done", "a1"), handoff("List files."))
    assert heard[-1] == HandoffRequested("h1", "turn_s1_1", "List files.")
    heard = read(user("hi"), agent("Hi."), item("added", "a1"), item("done", "a1"), handoff("list files"))
    assert heard[-1] == HandoffRequested("h1", "i1", "list files")


def test_items_that_we_made_or_do_not_use_mean_nothing() -> None:
    written = item("added", "u1", "user", content=[{"type": "input_text", "text": "hello"}])
    other = {"type": "conversation.item.added", "item": {"type": "function_call", "id": "f1"}}
    assert read(written, other, {"type": "conversation.item.added", "item": {}}, item("done", "x")) == []


@pytest.mark.parametrize("fields", [{"sample_rate": None}, {"channels": None}, {"delta": ""}])
def test_audio_that_lacks_something_is_passed_over(fields: dict[str, Any]) -> None:
    assert read({**SOUND, **fields}) == []


def test_audio_by_other_names() -> None:
    fields = {"data": SOUND["delta"], "num_channels": 1, "sample_rate": 24000, "samples_per_channel": 48}
    assert isinstance(read({"type": SOUND["type"], **fields})[-1], AudioDelta)


@pytest.mark.parametrize("fields", [{"sample_rate": 16000}, {"channels": 2}])
def test_audio_that_could_not_be_played(fields: dict[str, Any]) -> None:
    (error,) = read({**SOUND, **fields})
    assert isinstance(error, ProviderError)
    assert error.kind == "malformed"
    assert "only mono at 24000 Hz" in error.message


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"message": "No."}, "other", "No."),
        ({"error": {"message": "No.", "code": "invalid_api_key"}}, "fatal", "No."),
        ({"message": "Yes.", "error": {"message": "No."}}, "other", "Yes."),
        ({"error": {"why": 1}}, "other", '{"why":1}'),
        ({"error": "broken"}, "other", '"broken"'),
        ({}, "other", "the server gave no reason"),
    ],
)
def test_errors(error: dict[str, Any], kind: str, message: str) -> None:
    (told,) = read({"type": "error", **error})
    assert isinstance(told, ProviderError)
    assert (told.kind, told.message) == (kind, message)


def test_the_next_connection_begins_anew_and_uses_no_id_again() -> None:
    reader = Reader()
    before = read(user("hello"), agent("Hi"), reader=reader)
    reader.begin()
    after = read(user("hello"), agent("Hi"), reader=reader)
    assert [type(event) for event in before] == [type(event) for event in after]
    ids = [
        {event.item_id for event in each if isinstance(event, InputTranscript | TextDelta)} for each in (before, after)
    ]
    assert not ids[0] & ids[1]


# ----------------------------------------------------------------------------------------- whatever a server sends


def complaint(frame: str | bytes) -> str:
    (error,) = Reader().decode(frame)
    assert isinstance(error, ProviderError), error
    assert error.kind == "malformed"
    assert len(error.message) < 600
    return error.message


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (b"{}", "unexpected binary realtime websocket event: 2 bytes"),
        ("", "a frame"),
        ("hello", "hello"),
        ("{}", "missing required field `type`"),
        ('{"type":"session.updated","session":{}}', "missing required field `id` - at `$.session`"),
        ('{"type":"conversation.handoff.requested","handoff_id":"h"}', "the event conversation.handoff.requested"),
        ('{"type":"conversation.output_audio.delta","delta":"%"}', "Invalid base64"),
        ('{"type":"conversation.item.added","item":{"id":"a', "the event conversation.item.added"),
        ('{"type":"error","error":' + "[" * 100_000, "the event error"),
    ],
)
def test_what_was_wrong_is_said(frame: str | bytes, what: str) -> None:
    assert what in complaint(frame)


def test_an_unknown_type_is_no_error() -> None:
    assert read({"type": "future.event", "delta": 7}) == [Unknown("future.event")]


FRAMES = [
    UPDATED,
    SOUND,
    user("a"),
    user("b", item_id="u1"),
    user("c", item_id="u2"),
    marked("A."),
    marked("B.", item_id="u1"),
    agent("x"),
    {"type": "response.output_audio_transcript.done", "transcript": "x"},
    item("added", "a1"),
    item("added", "a2"),
    item("done", "a1"),
    item("done", "a2"),
    item("added", "u1", "user"),
    handoff("a"),
    handoff("b", "u1"),
    {"type": "error", "message": "No."},
    {"type": "future.event"},
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(FRAMES), max_size=25))
def test_in_any_order_what_comes_is_whole(frames: list[dict[str, Any]]) -> None:
    """What a session relies on: each response begins once, has one message, and ends before the next one begins."""
    active: ResponseStarted | None = None
    begun: set[str] = set()
    spoken: set[str] = set()
    for event in read(*frames):
        assert isinstance(event, get_args(events.ProviderEvent))
        match event:
            case ResponseStarted():
                assert active is None
                assert event.response_id not in begun
                begun.add(event.response_id)
                active = event
            case OutputStarted() | AudioDelta() | TextDelta() | TextDone() | AudioDone() | OutputDone():
                assert active
                assert event.response_id == active.response_id
            case ResponseDone():
                assert active
                assert event.response_id == active.response_id
                active = None
            case SpeechStarted():
                assert event.item_id not in spoken
                spoken.add(event.item_id)
            case InputCommitted() | SpeechStopped() | InputTranscript():
                assert event.item_id in spoken
            case _:
                pass


@settings(deadline=None)
@given(st.sampled_from(FRAMES), st.data())
def test_a_frame_that_was_damaged(frame: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(frame)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    reader = Reader()
    for event in reader.decode(text[:start] + data.draw(st.text(max_size=20)) + text[end:]):
        assert isinstance(event, get_args(events.ProviderEvent))
