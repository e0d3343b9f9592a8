"""The judge, of captions: sound evidence passes, and what is falsified is found; and what it goes by is true."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from rtactors.alignment import EvenAligner
from rtactors.loopback.script import Gate, Say, replies
from rtactors.session_events import AgentSaid, Caption, CaptionsEnded, Transition
from rtactors.sinks.base import Paused
from rtactors.testing.alignment import ALIGNER_CHECKS, AlignerCheck
from rtactors.testing.clock import run_virtual
from rtactors.testing.conversation import MS_PER_CHARACTER, conversation
from rtactors.testing.ears import Ears
from rtactors.testing.evidence import Evidence, Seen
from rtactors.testing.eyes import Eyes
from rtactors.testing.fickle import FickleAligner
from rtactors.testing.invariants import InvariantBroken, check_invariants
from rtactors.testing.stepped_sink import SteppedSink
from tests.testing.test_invariants import events, in_history, transitions_of

FIRST, SECOND, THIRD = "item_000002", "item_000003", "item_000004"
MARK = " [cut]"
TEXTS = ("First of all, good morning.", "Then there is something else to tell.", "And nobody hears this.")


async def _converse() -> Evidence:
    """Of three messages the first is heard, the second held and cut, with a mark, the third not heard."""
    gate = Gate()
    lines = [Say(text=TEXTS[0]), Say(text=TEXTS[1], transcript="aligned", gate=gate, gate_ms=1500), Say(text=TEXTS[2])]
    async with conversation(replies(lines), session={"cut_mark": MARK}) as talk:
        await talk.ask()
        await talk.time_passes(1)
        await talk.sink.play(600)
        await talk.time_passes(1)
        await talk.sink.play(len(TEXTS[0]) * MS_PER_CHARACTER - 600)
        await talk.reaches("transcript", "whole")
        await talk.sink.play(700)
        await talk.session.pause()
        await talk.reaches("transcript", "held")
        await talk.time_passes(1)
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.time_passes(1)
        await talk.session.unpause()
        await talk.reaches("transcript", "following")
        await talk.sink.play(300)
        await talk.speak()
        await talk.session.quiet()
    return talk.evidence(ms_per_character=MS_PER_CHARACTER, settled=True)


@pytest.fixture(scope="module")
def sound() -> Evidence:
    return run_virtual(_converse)


def test_sound_evidence_passes(sound: Evidence) -> None:
    check_invariants(sound)
    ended = [each.caption for each in sound.seen or () if isinstance(each.caption, CaptionsEnded)]
    assert [each.text for each in ended] == [TEXTS[0], "Then there is" + MARK]
    assert sound.alignments == 0


# ------------------------------------------------------------------------------------------------- how to falsify


def seen(evidence: Evidence, change: Callable[[Seen], list[Seen]]) -> Evidence:
    """Each thing that was seen becomes those that `change` makes of it."""
    assert evidence.seen
    return replace(evidence, seen=tuple(each for one in evidence.seen for each in change(one)))


def word(evidence: Evidence, text: str, **fields: Any) -> Evidence:
    """A caption was another one."""

    def change(one: Seen) -> list[Seen]:
        caption = one.caption
        meant = isinstance(caption, Caption) and caption.text.strip() == text
        return [replace(one, caption=replace(caption, **fields))] if meant else [one]

    return seen(evidence, change)


def end(evidence: Evidence, of: str, **fields: Any) -> Evidence:
    """So was the end of a message's captions."""

    def change(one: Seen) -> list[Seen]:
        meant = isinstance(one.caption, CaptionsEnded) and one.caption.message_id == of
        return [replace(one, caption=replace(one.caption, **fields))] if meant else [one]

    return seen(evidence, change)


def words_of(evidence: Evidence, message_id: str) -> tuple[Caption, ...]:
    ends = [one.caption for one in evidence.seen or () if isinstance(one.caption, CaptionsEnded)]
    return next(one.words for one in ends if one.message_id == message_id)


def told_later(evidence: Evidence) -> Evidence:
    """All captions of the first message come when it is over."""
    return seen(
        evidence,
        lambda one: [replace(one, at=one.at + 9)] if one.caption.message_id == FIRST else [one],
    )


def paused_before(evidence: Evidence) -> Evidence:
    """As if the device had been held before all that was told."""
    segments = [*evidence.segments]
    told = [
        (at - 1.0, replace(report, at=-1.0)) if isinstance(report, Paused) else (at, report)
        for at, report in segments[1].told
    ]
    segments[1] = replace(segments[1], told=told)
    return replace(evidence, segments=tuple(segments))


def said(evidence: Evidence, **fields: Any) -> Evidence:
    def change(event: Any) -> list[Any]:
        meant = isinstance(event, AgentSaid) and event.message.id == SECOND
        return [AgentSaid(replace(event.message, **fields))] if meant else [event]

    return events(evidence, change)


def never_followed(evidence: Evidence) -> Evidence:
    def change(event: Any) -> list[Any]:
        meant = isinstance(event, Transition) and (event.chart, event.id) == ("transcript", FIRST)
        return [] if meant else [event]

    return events(evidence, change)


FALSE: dict[str, tuple[str, Callable[[Evidence], Evidence], str]] = {
    "of another message": ("I11", lambda e: word(e, "First", message_id=THIRD), "of which nothing had been heard"),
    "ahead of the ears": ("I11", lambda e: word(e, "something", start_ms=1200, end_ms=1300), "when 1000 ms had been"),
    "before its message": ("I11", lambda e: word(e, "First", at=-1.0), "began before that did"),
    "told before it began": ("I11", lambda e: word(e, "First", at=9.0), "to begin at 9.000 s"),
    "backwards": ("I11", lambda e: word(e, "morning.", start_ms=300), "is not over"),
    "ends before it begins": ("I11", lambda e: word(e, "First", end_ms=-1), "is from 0 to -1 ms"),
    "earlier than the one before": ("I11", lambda e: word(e, "something", at=1.5), "began at 1.500 s, before"),
    "while it is held": ("I11", paused_before, "while it was held"),
    "too late": ("I11", told_later, "of item_000002 were heard at 1.000 s, and 0 words told"),
    "a word less": (
        "I11",
        lambda e: end(e, FIRST, words=words_of(e, FIRST)[1:]),
        "words of item_000002 were told, but",
    ),
    "a word that was told as another": (
        "I11",
        lambda e: end(e, FIRST, words=(replace(words_of(e, FIRST)[0], at=0.5), *words_of(e, FIRST)[1:])),
        "was told as",
    ),
    "a word that had not ended": (
        "I11",
        lambda e: end(e, SECOND, words=(*words_of(e, SECOND), replace(words_of(e, SECOND)[-1], text=" something"))),
        "'Then there is something' of item_000003 count as heard, but of that only 1000 ms were",
    ),
    "longer than the audio": (
        "I11",
        lambda e: end(e, SECOND, words=(*words_of(e, SECOND)[:-1], replace(words_of(e, SECOND)[-1], end_ms=1400))),
        "ends at 1400 ms, but 1000 ms were heard",
    ),
    "words that overlap": (
        "I11",
        lambda e: end(e, FIRST, words=(replace(words_of(e, FIRST)[0], end_ms=900), *words_of(e, FIRST)[1:])),
        "is told to have ended in the next word",
    ),
    "another text": ("I11", lambda e: end(e, FIRST, text="First of all."), "but its text is 'First of all.'"),
    "never ended": (
        "I11",
        lambda e: seen(e, lambda one: [] if isinstance(one.caption, CaptionsEnded) else [one]),
        "the captions of item_000002 ended 0 times, not 1",
    ),
    "ended twice": (
        "I11",
        lambda e: seen(e, lambda one: [one, one] if isinstance(one.caption, CaptionsEnded) else [one]),
        "the captions of item_000002 ended 2 times, not 1",
    ),
    "ended before its last word": (
        "I11",
        lambda e: replace(e, seen=tuple(sorted(e.seen or (), key=lambda one: isinstance(one.caption, Caption)))),
        "was told when its captions had ended",
    ),
    "of what was not heard": ("I11", lambda e: end(e, SECOND, message_id=THIRD), "item_000004 ended 1 times, not 0"),
    "another history": ("I11", lambda e: said(e, heard_text="Then there"), "but the history has 'Then there'"),
    "no mark": ("I11", lambda e: said(e, heard_text="Then there is"), "is cut, but its text in the history is"),
    "interrupted or not": ("I11", lambda e: end(e, SECOND, interrupted=False), "its captions: False"),
    "a heard text that ends elsewhere": (
        "I11",
        lambda e: in_history(e, SECOND, heard_text="Then there was" + MARK),
        "is not the beginning of its text: 'Then there was'",
    ),
    "charts that differ": ("I11", lambda e: transitions_of(e, SECOND, "cut", after="whole"), "is whole, not cut"),
    "nobody followed": ("I11", never_followed, "item_000002 is full, but nobody followed its words"),
    "a life that is left open": (
        "I10",
        lambda e: transitions_of(e, SECOND, "cut", after="settling"),
        "transcript item_000003 is still settling",
    ),
    "words that are kept": ("I10", lambda e: replace(e, alignments=2), "the words of 2 pieces are still kept"),
}


@pytest.mark.parametrize("what", FALSE)
def test_falsified_evidence_is_found(sound: Evidence, what: str) -> None:
    invariant, falsify, words = FALSE[what]
    with pytest.raises(InvariantBroken) as broken:
        check_invariants(falsify(sound))
    about = [violation.sentence for violation in broken.value.violations if violation.invariant == invariant]
    assert any(words in sentence for sentence in about), str(broken.value)


def test_without_eyes_captions_are_not_judged(sound: Evidence) -> None:
    check_invariants(replace(sound, seen=None, alignments=None))


# ------------------------------------------------------------------------------------------------- what it goes by


_CHANGES_ITS_MIND = {
    "any_pieces_give_the_same_words",
    "a_text_that_ends_with_its_audio_is_not_behind_it",
    "several_at_a_time_do_not_meet",
}


@pytest.mark.parametrize("check", [check for check in ALIGNER_CHECKS if check.__name__ not in _CHANGES_ITS_MIND])
def test_the_words_of_the_fickle_aligner_are_all_there_and_in_order(check: AlignerCheck) -> None:
    check(FickleAligner(7))


def test_alignments_are_counted_while_anybody_has_them() -> None:
    eyes = Eyes(Ears(SteppedSink()))
    aligner = eyes.aligner(EvenAligner())
    kept = [aligner.begin(24_000), aligner.begin(24_000)]
    assert eyes.alignments == 2
    kept.pop()
    gc.collect()
    assert eyes.alignments == 1
