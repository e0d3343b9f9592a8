"""Faithfulness, in short: ours in some situations, the floor where it can't be, and a judge that can say no."""

import zlib

import msgspec
import pytest

from benchmarks.faithfulness import converse
from benchmarks.faithfulness.device import Device
from benchmarks.faithfulness.evidence import Evidence, Heard, Item, Message, Truncated
from benchmarks.faithfulness.judge import Verdict, judge
from benchmarks.lineup import FLOOR, OURS
from benchmarks.measures import faithfulness
from benchmarks.processes import Side
from rtactors.loopback.voice import Word

# ------------------------------------------------------------------------------------------------------- conversations

SHORT = ("three messages, interrupted in the first", "then the connection is lost", "arguments are generated")


@pytest.mark.sockets
@pytest.mark.speech
def test_ours_is_faithful_and_the_floor_is_not() -> None:
    pytest.importorskip("espeakng_loader")
    wanted = [case for part in SHORT for case in converse.cases(1, only=part)]
    results = converse.measure({OURS: Side("ours"), FLOOR: Side("floor")}, wanted)
    verdicts = [faithfulness.verdict_of(each) for each in results["verdicts"]]
    assert len(verdicts) == 2 * len(wanted)
    ours = [each for each in verdicts if each.side == "rtactors"]
    assert [each for each in ours if not each.faithful or each.strange or each.errors] == []
    assert len([off for each in ours for off in each.off_ms]) == len(wanted)
    assert all(-1 < off <= 0 for each in ours for off in each.off_ms)  # the wire has whole ms: they are rounded down
    assert not any(each.faithful for each in verdicts if each.side == "floor")
    page = faithfulness.table(results)
    assert "| **connection** | 2/2 | 0/2 |" in page
    assert [each.won for each in faithfulness.verdicts(results)] == [True, True, True]


# ----------------------------------------------------------------------------------------------------------- the judge

FRAMES = 24
WORDS = ("Ada ", "kept ", "the ", "lighthouse ", "on ", "the ", "northern ", "cliff ", "for ", "forty ", "years.")
OTHERS = ("Every ", "evening ", "she ", "counted ", "the ", "ships ", "that ", "passed ", "by.")


def spoken(mark: int, words: tuple[str, ...]) -> Message:
    """300 ms for each word."""
    length_ms = 300 * len(words)
    return Message(
        id=f"item_{mark}",
        mark=mark,
        words=tuple(Word(word, 300 * index) for index, word in enumerate(words)),
        length_ms=length_ms,
        held_ms=length_ms,
        sent_text="".join(words),
        prefixes={FRAMES * ms: ms for ms in (*range(0, 4000, 100), length_ms)},
    )


def audio(mark: int, ms: float) -> Item:
    return Item(id=f"item_{mark}", kind="message", role="assistant", audio_ms=ms, spoken=True)


def said(mark: int, words: tuple[str, ...]) -> Item:
    return Item(id=f"item_{mark}", kind="message", role="assistant", text="".join(words))


def heard(mark: int, ms: int) -> Heard:
    return Heard(mark, FRAMES * ms, ms)


CALL = Item(id="item_call", kind="call", text="{}", call_id="call_1")
OUTPUT = Item(id="item_output", kind="output", text="seven", call_id="call_1")
TRUE = Evidence(
    side="rtactors",
    situation=0,
    part=0.5,
    messages=(spoken(1, WORDS), spoken(2, OTHERS), spoken(3, ("All ", "right."))),
    heard=(heard(1, 1500), heard(3, 600)),
    items=(audio(1, 1500), CALL, OUTPUT, audio(3, 600)),
    connections=1,
    history=(said(1, WORDS[:5]), said(3, ("All ", "right."))),
    truncated=(Truncated("item_1", 1500, accepted=True),),
    errors=(),
    queries=("how many ships",),
    answered=True,
    problem="",
    late_ms=1.0,
)
"""The first message was cut behind its fifth word, the second never heard, the third heard out."""


def judged(**changed: object) -> Verdict:
    return judge(msgspec.structs.replace(TRUE, **changed))


def test_what_is_true_is_faithful() -> None:
    verdict = judged()
    assert verdict.faithful
    assert verdict.off_ms == (0,)
    assert (verdict.uncut, verdict.unheard_items, verdict.unheard_messages) == (0, 0, 0)
    assert verdict.strange == ()


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ((audio(1, 3300), CALL, OUTPUT, audio(3, 600)), "holds 3300 ms of message 1"),
        ((audio(1, 1399), CALL, OUTPUT, audio(3, 600)), "holds 1399 ms of message 1"),
        ((CALL, OUTPUT, audio(3, 600)), "holds nothing of message 1"),
        ((audio(1, 1500), audio(2, 2700), CALL, OUTPUT, audio(3, 600)), "holds 2700 ms of message 2"),
        ((said(1, WORDS), CALL, OUTPUT, audio(3, 600)), "holds 11 words of message 1"),
        ((said(1, WORDS[:1]), CALL, OUTPUT, audio(3, 600)), "holds 1 words of message 1"),
        ((audio(1, 1500), said(2, OTHERS), CALL, OUTPUT, audio(3, 600)), "holds 9 words of message 2"),
    ],
)
def test_the_server_is_told_on(items: tuple[Item, ...], says: str) -> None:
    verdict = judged(items=items)
    assert [says in sentence for sentence in verdict.server] == [True]
    assert not verdict.history
    assert not verdict.faithful


@pytest.mark.parametrize(
    "items",
    [
        (audio(1, 1500), CALL, OUTPUT, audio(3, 600)),
        (audio(1, 1590), CALL, OUTPUT, audio(3, 510)),
        (said(1, WORDS[:3]), CALL, OUTPUT, audio(3, 600)),
        (said(1, WORDS[:7]), CALL, OUTPUT, audio(3, 600)),
        (audio(1, 1500), Item(id="item_2", kind="message", role="assistant"), CALL, OUTPUT, audio(3, 600)),
    ],
)
def test_the_server_may_be_a_little_off_hold_text_and_empty_items(items: tuple[Item, ...]) -> None:
    assert judged(items=items).faithful


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ((said(1, WORDS), said(3, ("All ", "right."))), "has 11 words of message 1"),
        ((said(1, WORDS[:1]), said(3, ("All ", "right."))), "has 1 words of message 1"),
        ((said(3, ("All ", "right.")),), "has 0 words of message 1"),
        ((said(1, WORDS[:5]), said(2, OTHERS), said(3, ("All ", "right."))), "has 9 words of message 2"),
        ((said(1, WORDS[:5]), said(1, WORDS[:5]), said(3, ("All ", "right."))), "has message 1 2 times"),
    ],
)
def test_the_history_is_told_on(history: tuple[Item, ...], says: str) -> None:
    verdict = judged(history=history)
    assert [says in sentence for sentence in verdict.history] == [True]
    assert not verdict.server
    assert not verdict.faithful


@pytest.mark.parametrize("words", [WORDS[:3], WORDS[:7], (*WORDS[:5], "...")])
def test_the_history_may_be_a_word_or_two_off(words: tuple[str, ...]) -> None:
    assert judged(history=(said(1, words), said(3, ("All ", "right.")))).faithful


def test_the_order_counts() -> None:
    first, second = spoken(1, WORDS), spoken(2, OTHERS)
    whole = {
        "messages": (first, second),
        "heard": (heard(1, 3300), heard(2, 2700)),
        "items": (audio(1, 3300), audio(2, 2700)),
        "queries": (),
    }
    assert judged(**whole, history=(said(1, WORDS), said(2, OTHERS))).faithful
    verdict = judged(**whole, history=(said(2, OTHERS), said(1, WORDS)))
    assert verdict.history == ("heard in the order 1, 2, in the history in the order 2, 1",)


def test_one_entry_of_the_history_may_hold_several_messages() -> None:
    both = (spoken(1, WORDS), spoken(2, OTHERS))
    together = Item(id="", kind="message", role="assistant", text="".join((*WORDS, " ", *OTHERS)))
    verdict = judged(
        messages=both,
        heard=(heard(1, 3300), heard(2, 2700)),
        items=(audio(1, 3300), audio(2, 2700)),
        history=(together,),
    )
    assert verdict.faithful


def test_after_a_reconnect_text_counts() -> None:
    evidence = {"connections": 2, "items": (said(1, WORDS[:5]), said(3, ("All ", "right.")))}
    assert judged(**evidence).faithful
    assert not judged(connections=2, items=(said(1, WORDS), said(3, ("All ", "right.")))).faithful
    assert not judged(connections=2, items=(said(3, ("All ", "right.")),)).faithful


def test_tools_and_silence_are_told_on() -> None:
    assert judged(items=(audio(1, 1500), CALL, audio(3, 600))).tools
    assert not judged(items=(audio(1, 1500), msgspec.structs.replace(CALL, complete=False), audio(3, 600))).tools
    assert judged(queries=("how m",)).tools
    silent = judged(answered=False)
    assert silent.agree
    assert not silent.faithful


def test_what_counts_beside_is_counted() -> None:
    verdict = judged(
        heard=(heard(1, 1500), heard(3, 600)),
        items=(audio(1, 3300), audio(2, 2700), CALL, OUTPUT, audio(3, 600)),
        history=(said(1, WORDS[:5]), said(2, OTHERS), said(3, ("All ", "right."))),
        truncated=(Truncated("item_1", 1800, accepted=True), Truncated("item_1", 9999, accepted=False)),
        errors=("Audio content of 3300ms is already shorter than 9999ms",),
    )
    assert verdict.off_ms == (300,)
    assert (verdict.uncut, verdict.unheard_items, verdict.unheard_messages) == (1, 1, 1)
    assert (verdict.refused_truncates, len(verdict.errors)) == (1, 1)


def test_what_was_never_sent_was_not_heard_rightly() -> None:
    assert judged(heard=(Heard(1, FRAMES * 1500, 7), heard(3, 600))).strange
    assert judged(heard=(heard(1, 1000), heard(3, 600), heard(1, 500))).strange
    assert judged(heard=(heard(1, 1500), heard(3, 600), heard(9, 100))).strange


# ------------------------------------------------------------------------------------------------------------ the ears


def test_the_device_knows_whose_each_frame_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0
    monkeypatch.setattr("time.monotonic_ns", lambda: now)
    one, two = b"\x31\x7f" * 2400, b"\xf2\x00" * 2400  # 100 ms each
    device = Device()
    device.write(one + two[:480])
    device.write(two[480:])
    assert (device.accepted, device.played) == (4800, 0)
    now = 105_000_000
    assert device.heard() == {1: 2400, 2: 120}
    assert device.clear() == 2520
    now = 300_000_000
    assert device.runs == [(1, 2400, zlib.crc32(one)), (2, 120, zlib.crc32(two[:240]))]
    device.write(two)  # what comes too late is heard all the same
    now = 500_000_000
    assert device.heard() == {1: 2400, 2: 2520}
    assert device.runs[1] == (2, 2520, zlib.crc32(two[:240] + two))
