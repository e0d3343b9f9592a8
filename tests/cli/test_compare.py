"""The comparison of the demo: a true record passes, and each way in which one can be false is found."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from rtactors.cli.compare import Heard, differences
from rtactors.history import HistoryItem
from rtactors.loopback.conversation import FRAMES_PER_MS, Snapshot

GENERATED_MS = {"m1": 100, "m2": 300, "m3": 200, "m4": 50}
HEARD_MS = {"m1": 100, "m2": 150, "m3": 0, "m4": 50}
STATES = {"m1": "full", "m2": "partial", "m3": "skipped", "m4": "full"}
TEXTS = {"m1": "One.", "m2": "Two and more.", "m3": "Three.", "m4": "Four.", "u1": "Tell me.", "u2": "Stop."}
HEARD_TEXTS = TEXTS | {"m2": "Two and"}
SILENCE = bytes(2 * 40 * FRAMES_PER_MS)


def pcm(message: str, ms: int) -> bytes:
    """Each message has a sound of its own, and one frame of silence in each ms."""
    sound = int(message[1]).to_bytes(2, "little")
    return (sound * (FRAMES_PER_MS - 1) + bytes(2)) * ms


def heard(message: str) -> Heard:
    return Heard(
        id=message,
        number=int(message[1]),
        state=STATES[message],
        frames=HEARD_MS[message] * FRAMES_PER_MS,
        generated=pcm(message, GENERATED_MS[message]),
        captions=HEARD_TEXTS[message] if HEARD_MS[message] else "",
    )


def kept(item: str) -> Snapshot:
    return Snapshot(
        id=item,
        type="message",
        role="user" if item[0] == "u" else "assistant",
        status="completed",
        text="" if item == "m2" else TEXTS[item],  # a truncated item has no transcript
        frames=HEARD_MS.get(item, 0) * FRAMES_PER_MS,
        generated_frames=GENERATED_MS.get(item, 0) * FRAMES_PER_MS,
        phase=None,
        call_id="",
        name="",
        arguments="",
        output="",
        truncated=item == "m2",
        deleted=False,
    )


def said(item: str) -> HistoryItem:
    return HistoryItem(
        id=item,
        role="user" if item[0] == "u" else "assistant",
        heard_text=HEARD_TEXTS[item],
        generated_text=TEXTS[item],
        interrupted=item == "m2",
        heard_ms=HEARD_MS.get(item, 0),
        generated_ms=GENERATED_MS.get(item, 0),
    )


class Records:
    """A true record: a question, an answer of three messages that is interrupted in the second, another answer."""

    def __init__(self) -> None:
        self.heard = [heard(message) for message in ("m1", "m2", "m4", "m3")]
        self.server = [kept(item) for item in ("u1", "m1", "m2", "u2", "m4")]
        self.history = [said(item) for item in ("u1", "m1", "m2", "u2", "m4")]
        self.recording = SILENCE + SILENCE.join(pcm(message, HEARD_MS[message]) for message in ("m1", "m2", "m4"))

    @property
    def differences(self) -> list[str]:
        return differences(self.heard, self.server, self.history, self.recording)


def test_a_true_record_has_no_differences() -> None:
    assert Records().differences == []


def test_less_than_a_millisecond_is_no_difference() -> None:
    records = Records()
    records.server[2] = replace(records.server[2], frames=records.server[2].frames + FRAMES_PER_MS)
    records.history[2] = replace(records.history[2], heard_ms=records.history[2].heard_ms - 1)
    assert records.differences == []


def in_server(index: int, **changes: object) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        records.server[index] = replace(records.server[index], **changes)

    return change


def in_history(index: int, **changes: object) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        records.history[index] = replace(records.history[index], **changes)

    return change


def in_heard(index: int, **changes: object) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        records.heard[index] = replace(records.heard[index], **changes)

    return change


def record(changed: bytes) -> Callable[[Records], None]:
    return lambda records: setattr(records, "recording", changed)


TRUE = Records().recording

FALSE: dict[str, tuple[Callable[[Records], object], str]] = {
    "server kept more": (
        in_server(2, frames=300 * FRAMES_PER_MS),
        "the server keeps 300 ms of message 2, but 150 ms were heard",
    ),
    "server kept less": (
        in_server(2, frames=100 * FRAMES_PER_MS),
        "the server keeps 100 ms of message 2, but 150 ms were heard",
    ),
    "server cut a full message": (
        in_server(1, frames=98 * FRAMES_PER_MS),
        "the server keeps 98 ms of message 1, but 100 ms were heard",
    ),
    "server kept a skipped message": (
        lambda records: records.server.insert(3, replace(kept("m3"), frames=200 * FRAMES_PER_MS)),
        "the server keeps 200 ms of message 3, of which nothing was heard",
    ),
    "server lost a heard message": (
        lambda records: records.server.pop(2),
        "the server does not hold message 2, of which 150 ms were heard",
    ),
    "server holds a stranger": (
        lambda records: records.server.append(replace(kept("m1"), id="m9")),
        "the server holds the message m9, which nobody announced",
    ),
    "server has another order": (
        lambda records: records.server.insert(1, records.server.pop(2)),
        "the server has the messages in another order than they were heard in",
    ),
    "server has another text": (
        in_server(1, text="Another."),
        "message 1 reads 'One.' in the chat history, and 'Another.' on the server",
    ),
    "history has more": (
        in_history(2, heard_ms=300),
        "the chat history has 300 ms of message 2, but 150 ms were heard",
    ),
    "history has less": (in_history(1, heard_ms=90), "the chat history has 90 ms of message 1, but 100 ms were heard"),
    "history has another length": (
        in_history(2, generated_ms=150),
        "the chat history has message 2 generated with 150 ms, but it was 300 ms",
    ),
    "history holds a skipped message": (
        lambda records: records.history.insert(3, said("m3")),
        "the chat history holds message 3, of which nothing was heard",
    ),
    "history lost a heard message": (
        lambda records: records.history.pop(2),
        "the chat history does not hold message 2, of which 150 ms were heard",
    ),
    "history takes a partial message for whole": (
        in_history(2, interrupted=False),
        "the chat history has message 2 in full, but it was interrupted",
    ),
    "history takes a full message for interrupted": (
        in_history(1, interrupted=True),
        "the chat history has message 1 interrupted, but it was heard in full",
    ),
    "history has words that were not said": (
        in_history(2, heard_text="Two or"),
        "the chat history has 'Two or' as the heard part of message 2, which is not how it begins",
    ),
    "captions went on": (
        in_heard(1, captions="Two and more."),
        "message 2 reads 'Two and' in the chat history, and 'Two and more.' in its captions",
    ),
    "history holds a stranger": (
        lambda records: records.history.append(replace(said("m1"), id="m9")),
        "the chat history holds the message m9, which nobody announced",
    ),
    "history has another order": (
        lambda records: records.history.insert(1, records.history.pop(2)),
        "the chat history has the messages in another order than they were heard in",
    ),
    "a user's turn is missing": (
        lambda records: records.history.pop(3),
        "the user's turns are 'Tell me.' in the chat history, and 'Tell me.', 'Stop.' on the server",
    ),
    "a user's words differ": (
        in_history(0, heard_text="Sell me."),
        "the user's turns are 'Sell me.', 'Stop.' in the chat history, and 'Tell me.', 'Stop.' on the server",
    ),
    "a user's turn stands elsewhere": (
        lambda records: records.history.insert(2, records.history.pop(3)),
        "turns and messages stand in another order in the chat history than on the server",
    ),
    "a state that is not so": (
        in_heard(1, state="full"),
        "message 2 is full, but 150 of 300 ms were heard: partial",
    ),
    "skipped, but heard": (
        in_heard(0, state="skipped"),
        "message 1 is skipped, but 100 of 100 ms were heard: full",
    ),
    "nobody played it": (
        record(SILENCE * 10),
        "heard.wav does not hold the 100 ms of message 1 that the sink says were heard",
    ),
    "played in another order": (
        record(pcm("m2", 150) + pcm("m1", 100) + pcm("m4", 50)),
        "heard.wav does not hold the 100 ms of message 1 that the sink says were heard",
    ),
    "played less than the sink says": (
        record(TRUE[:-2000]),
        "heard.wav does not hold the 50 ms of message 4 that the sink says were heard",
    ),
    "played more than the sink says": (
        record(TRUE + pcm("m3", 1)),
        "heard.wav holds 23 frames of sound that belong to no message",
    ),
}


@pytest.mark.parametrize("how", FALSE)
def test_a_false_record_is_found(how: str) -> None:
    falsify, expected = FALSE[how]
    records = Records()
    falsify(records)
    assert expected in records.differences
