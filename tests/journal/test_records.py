"""What is written into a journal: it is read for as long as there are files with it, and never wrongly."""

from typing import Any

import pytest
from msgspec import msgpack

from rtactors import ConfigurationError
from rtactors.journal.records import (
    Change,
    Damage,
    Heard,
    ItemChanged,
    Opened,
    Record,
    SavedItem,
    Spoken,
    _checksum,  # pyright: ignore[reportPrivateUsage] - to write what this version does not
    decode,
    encode,
)

SPOKEN = Spoken(
    heard_text="One",
    generated_text="One two.",
    heard_ms=300,
    generated_ms=800,
    interrupted=True,
    started_at=5.5,
    stopped_at=5.8,
    confirmed=True,
)
MESSAGE = SavedItem(id="a1", role="assistant", text="One two.", status="incomplete", phase="final_answer")
CALL = SavedItem(id="c1", kind="function_call", name="pay", call_id="call_1", arguments='{"eur": 5}')
OUTPUT = SavedItem(id="o1", kind="function_call_output", call_id="call_1", output="paid")

# What version 1 has written stands in files: none of this may change. A later version adds to it.
SPOKEN_1 = {
    "heard_text": "One",
    "generated_text": "One two.",
    "heard_ms": 300,
    "generated_ms": 800,
    "interrupted": True,
    "started_at": 5.5,
    "stopped_at": 5.8,
    "confirmed": True,
}
MESSAGE_1 = {"id": "a1", "role": "assistant", "text": "One two.", "status": "incomplete", "phase": "final_answer"}
CALL_1 = {"id": "c1", "kind": "function_call", "call_id": "call_1", "name": "pay", "arguments": '{"eur": 5}'}
OUTPUT_1 = {"id": "o1", "kind": "function_call_output", "call_id": "call_1", "output": "paid"}
VERSION_1: list[tuple[Change, dict[str, Any]]] = [
    (Opened(), {"type": "opened"}),
    (Opened(left_out=(7,)), {"type": "opened", "left_out": [7]}),
    (
        ItemChanged(item=MESSAGE, after="u1", response_id="resp_1", generated_ms=800, spoken=SPOKEN),
        {
            "type": "item",
            "item": MESSAGE_1,
            "after": "u1",
            "response_id": "resp_1",
            "generated_ms": 800,
            "spoken": SPOKEN_1,
        },
    ),
    (
        ItemChanged(item=CALL, after="a1", handed_over=True),
        {"type": "item", "item": CALL_1, "after": "a1", "handed_over": True},
    ),
    (
        ItemChanged(item=OUTPUT, after="c1", removed=True),
        {"type": "item", "item": OUTPUT_1, "after": "c1", "removed": True},
    ),
    (
        Heard("a1", 250, 800, "On", 5.5),
        {"type": "heard", "item_id": "a1", "heard_ms": 250, "generated_ms": 800, "text": "On", "started_at": 5.5},
    ),
]
AT, EPOCH = 1_700_000_000.25, 1_699_999_990.0
OPENED = Record(1, AT, EPOCH, Opened())
STORED = bytes.fromhex("c5f207249401cb41d954fc40100000cb41d954fc3d80000081a474797065a66f70656e6564")


@pytest.mark.parametrize(("change", "written"), VERSION_1)
def test_version_1_is_what_it_was(change: Change, written: dict[str, Any]) -> None:
    record = Record(1, AT, EPOCH, change)
    stored = encode("session", 3, record)
    assert msgpack.decode(stored[4:]) == [1, AT, EPOCH, written]
    assert decode("session", 3, stored) == record


def test_to_the_byte() -> None:
    assert encode("session", 3, OPENED) == STORED


def test_every_change_of_a_byte_is_found() -> None:
    for place in range(len(STORED)):
        for bit in range(8):
            torn = bytearray(STORED)
            torn[place] ^= 1 << bit
            with pytest.raises(Damage):
                decode("session", 3, bytes(torn))


def test_every_shorter_record_is_found() -> None:
    for length in range(len(STORED)):
        with pytest.raises(Damage):
            decode("session", 3, STORED[:length])


@pytest.mark.parametrize(("session_id", "number"), [("session", 4), ("another", 3), ("session 3", 3)])
def test_a_record_in_a_wrong_place_is_found(session_id: str, number: int) -> None:
    with pytest.raises(Damage):
        decode(session_id, number, STORED)


@pytest.mark.parametrize(
    "body", [[2, AT, EPOCH, {"type": "opened"}], [2, AT, EPOCH, {"type": "sung"}], [2, {"all": "new"}]]
)
def test_what_a_newer_version_wrote_is_not_misread(body: list[Any]) -> None:
    written = msgpack.encode(body)
    with pytest.raises(ConfigurationError, match="'session' has records"):
        decode("session", 3, _checksum("session", 3, written) + written)
