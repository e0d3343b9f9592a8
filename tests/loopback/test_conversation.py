"""The rules by which a client may change the history, with the codes and sentences that OpenAI returns."""

from collections.abc import Callable

import pytest

from rtactors.loopback.conversation import Conversation, Entry, Part, Rejected

MS = 48  # bytes


def spoken(item_id: str, ms: int) -> Entry:
    entry = Entry(id=item_id, role="assistant", content=[Part("output_audio", "some words")])
    entry.generate(bytes(ms * MS))
    return entry


def user(item_id: str, text: str = "hi") -> Entry:
    return Entry(id=item_id, role="user", content=[Part("input_text", text)])


@pytest.fixture
def conversation() -> Conversation:
    """u1 (text), a1 (2650 ms of audio), a2 (a message without audio), u2 (the user's audio)."""
    conversation = Conversation()
    for entry in (
        user("u1"),
        spoken("a1", 2650),
        spoken("a2", 0),
        Entry(id="u2", role="user", content=[Part("input_audio", None, bytearray(500 * MS))]),
    ):
        conversation.append(entry)
    return conversation


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation.items]


REFUSED: list[tuple[Callable[[Conversation], object], str, str]] = [
    (
        lambda held: held.truncate("a1", 0, 9100),
        "invalid_value",
        "Audio content of 2650ms is already shorter than 9100ms",
    ),
    (
        lambda held: held.truncate("a1", 0, 2651),
        "invalid_value",
        "Audio content of 2650ms is already shorter than 2651ms",
    ),
    (
        lambda held: held.truncate("a1", 0, 0),
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
    ),
    (
        lambda held: held.truncate("a2", 0, 10),
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
    ),
    (
        lambda held: held.truncate("u1", 0, 10),
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
    ),
    (
        lambda held: held.truncate("u2", 0, 10),
        "unsupported_content_type",
        "Only model output audio messages can be truncated",
    ),
    (
        lambda held: held.truncate("nobody", 0, 10),
        "item_truncate_invalid_item_id",
        "Error truncating item: the item with id 'nobody' does not exist.",
    ),
    (
        lambda held: held.truncate("a1", 1, 10),
        "invalid_value",
        "Error truncating item: 'a1' has no content part with index 1.",
    ),
    (
        lambda held: held.delete("nobody"),
        "item_delete_invalid_item_id",
        "Error deleting item: the item with id 'nobody' does not exist.",
    ),
    (
        lambda held: held.retrieve("nobody"),
        "item_retrieve_invalid_item_id",
        "Error retrieving item: the item with id 'nobody' does not exist.",
    ),
    (
        lambda held: held.create(user("new"), "nobody"),
        "item_create_invalid_previous_item_id",
        "Error creating item: the previous item with id 'nobody' does not exist.",
    ),
    (
        lambda held: held.create(Entry(id="o1", type="function_call_output", call_id="call_x")),
        "invalid_tool_call_id",
        "Tool call ID 'call_x' not found in conversation.",
    ),
]


@pytest.mark.parametrize(("act", "code", "message"), REFUSED)
def test_refused(conversation: Conversation, act: Callable[[Conversation], object], code: str, message: str) -> None:
    before = conversation.items
    with pytest.raises(Rejected) as refusal:
        act(conversation)
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert conversation.items == before


@pytest.mark.parametrize(
    ("previous", "reported", "order"),
    [
        (None, "u2", ["u1", "a1", "a2", "u2", "new"]),
        ("", "u2", ["u1", "a1", "a2", "u2", "new"]),
        ("root", None, ["new", "u1", "a1", "a2", "u2"]),
        ("a1", "a1", ["u1", "a1", "new", "a2", "u2"]),
        ("u2", "u2", ["u1", "a1", "a2", "u2", "new"]),
    ],
)
def test_where_a_created_item_goes(
    conversation: Conversation, previous: str | None, reported: str | None, order: list[str]
) -> None:
    assert conversation.create(user("new"), previous) == reported
    assert ids(conversation) == order


def test_a_known_id_is_not_refused_but_appends_content(conversation: Conversation) -> None:
    assert conversation.create(user("u1", " again"), "root") == "u1"
    assert ids(conversation) == ["u1", "a1", "a2", "u2"]
    assert conversation.items[0].text == "hi again"


def test_an_id_is_free_again_when_its_item_is_deleted(conversation: Conversation) -> None:
    conversation.delete("u1")
    conversation.create(user("u1", "anew"), "root")
    assert ids(conversation) == ["u1", "a1", "a2", "u2"]
    assert conversation.items[0].text == "anew"
    assert [(item.id, item.text) for item in conversation.deleted] == [("u1", "hi")]


@pytest.mark.parametrize("end_ms", [1, 1325, 2650])
def test_truncating_keeps_the_audio_before_and_no_transcript(conversation: Conversation, end_ms: int) -> None:
    conversation.truncate("a1", 0, end_ms)
    item = conversation.items[1]
    assert (item.audio_ms, item.generated_ms, item.text, item.truncated) == (end_ms, 2650, "", True)


def test_truncating_again_measures_what_is_left(conversation: Conversation) -> None:
    conversation.truncate("a1", 0, 1000)
    with pytest.raises(Rejected, match=r"^Audio content of 1000ms is already shorter than 1001ms$"):
        conversation.truncate("a1", 0, 1001)
    conversation.truncate("a1", 0, 500)
    assert conversation.items[1].audio_ms == 500


def test_what_is_generated_after_a_truncate_is_counted_but_not_held(conversation: Conversation) -> None:
    conversation.truncate("a1", 0, 1000)
    conversation.retrieve("a1").generate(bytes(350 * MS))
    item = conversation.items[1]
    assert (item.audio_ms, item.generated_ms) == (1000, 3000)


def test_lengths_are_whole_ms_rounded_down() -> None:
    conversation = Conversation()
    entry = spoken("a1", 99)
    entry.generate(bytes(46))  # 23 frames: one less than a ms
    conversation.append(entry)
    with pytest.raises(Rejected, match="Audio content of 99ms"):
        conversation.truncate("a1", 0, 100)


def test_a_server_may_hold_less_than_it_sent() -> None:
    entry = spoken("a1", 0)
    for _ in range(5):
        entry.generate(bytes(20 * MS), held=85 * 24)
    assert (entry.snapshot().audio_ms, entry.snapshot().generated_ms) == (85, 100)


def test_deleted_items_stay_readable(conversation: Conversation) -> None:
    conversation.delete("a1")
    assert ids(conversation) == ["u1", "a2", "u2"]
    assert "a1" not in conversation
    assert [(item.id, item.deleted, item.audio_ms) for item in conversation.deleted] == [("a1", True, 2650)]


def test_a_function_output_needs_its_call(conversation: Conversation) -> None:
    conversation.append(Entry(id="f1", type="function_call", call_id="call_1", name="f"))
    conversation.create(Entry(id="o1", type="function_call_output", call_id="call_1", output="4"), "f1")
    assert ids(conversation)[-2:] == ["f1", "o1"]
