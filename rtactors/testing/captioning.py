"""How a session tells which words are heard: what must hold of captions, of their ends, of the texts that they leave.

These are checks of `rtactors.testing.invariants`, as those of `rtactors.testing.conduct` are, each under the number of
the invariant that it belongs to: that a caption belongs to the message that it names, is never ahead of the ears, and
soon behind them; that captions go forward, and stand still with the device; that each message's end once, with the
words that the history has; that no word outlives its message.

Captions are judged as they were seen in their moment (`rtactors.testing.eyes`), beside what the device had told by then
and what the server had sent.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

from rtactors.alignment.even import MS_PER_CHARACTER
from rtactors.alignment.words import whole_words
from rtactors.events import BYTES_PER_FRAME
from rtactors.session_events import AgentSaid, Caption, CaptionsEnded, MessageAnnounced, Transition
from rtactors.sinks.base import Paused, Resumed
from rtactors.testing.ears import Segment, Untold
from rtactors.testing.evidence import HAIR_S, Facts, Seen
from rtactors.testing.wire_story import WireMessage
from statecharts.message import MESSAGE
from statecharts.transcript import TRANSCRIPT

_BATCH_MS = 100
"""What is known of audio when it is heard may lack so much, if it comes no faster than that."""


def _told(facts: Facts) -> dict[str, list[tuple[Seen, Caption]]]:
    """The captions of each message, in the order in which they were seen."""
    told: dict[str, list[tuple[Seen, Caption]]] = {}
    for seen in facts.evidence.seen or ():
        if isinstance(seen.caption, Caption):
            told.setdefault(seen.caption.message_id, []).append((seen, seen.caption))
    return told


def _ends(facts: Facts) -> dict[str, list[tuple[Seen, CaptionsEnded]]]:
    """The same of their ends."""
    ends: dict[str, list[tuple[Seen, CaptionsEnded]]] = {}
    for seen in facts.evidence.seen or ():
        if isinstance(seen.caption, CaptionsEnded):
            ends.setdefault(seen.caption.message_id, []).append((seen, seen.caption))
    return ends


def _last_states(facts: Facts, chart: str) -> dict[str, str]:
    """Where each life of a chart has come to."""
    transitions = (event for event in facts.evidence.events if isinstance(event, Transition))
    return {event.id: event.after for event in transitions if event.chart == chart}


def _has_pieces(facts: Facts, message: WireMessage) -> bool:
    """Whether it is more than one stretch of text and audio."""
    return len(message.parts) > 1 or facts.is_voiced(message)


# ------------------------------------------------------------------------------------------------- while it is heard


def captions_are_of_what_is_heard(facts: Facts) -> Iterator[str]:
    """I11: a caption names a message that is being heard, and is never ahead of the ears."""
    for message_id, told in _told(facts).items():
        segment = facts.segments.get(message_id)
        for seen, caption in told:
            started = segment.told_start(seen.at) if segment else None
            heard_ms = seen.told_frames * 1000 // facts.evidence.rate
            if started is None:
                yield f"{caption.text!r} was told of {message_id}, of which nothing had been heard"
            elif caption.at < started.at - HAIR_S:
                yield f"{caption.text!r} of {message_id} began before that did: {caption.at:.3f} s"
            if caption.start_ms > heard_ms:
                yield (
                    f"{caption.text!r} of {message_id}, at {caption.start_ms} ms, was told at {seen.at:.3f} s, "
                    f"when {heard_ms} ms had been heard"
                )
            if caption.at > seen.at + HAIR_S:
                yield f"{caption.text!r} of {message_id} was told at {seen.at:.3f} s, to begin at {caption.at:.3f} s"


def captions_go_forward(facts: Facts) -> Iterator[str]:
    """I11: in the order of the words, one behind the other."""
    for message_id, told in _told(facts).items():
        message = facts.messages.get(message_id)
        pieces = message is None or _has_pieces(facts, message)
        for _, caption in told:
            if not 0 <= caption.start_ms <= caption.end_ms:
                yield f"{caption.text!r} of {message_id} is from {caption.start_ms} to {caption.end_ms} ms"
        for (_, before), (seen, after) in pairwise(told):
            heard_ms = seen.told_frames * 1000 // facts.evidence.rate
            # The last word of a piece may have been thought to be longer than there turned out to be audio.
            if after.start_ms < (before.start_ms if pieces else min(before.end_ms, heard_ms)):
                yield (
                    f"{after.text!r} of {message_id} begins at {after.start_ms} ms, "
                    f"when {before.text!r} is not over: {before.end_ms} ms"
                )
            if after.at < before.at - HAIR_S:
                yield f"{after.text!r} of {message_id} began at {after.at:.3f} s, before {before.text!r} had"


def captions_stand_still_with_the_device(facts: Facts) -> Iterator[str]:
    """I11: no word begins while its message is held; one whose text comes only then began before."""
    told = _told(facts)
    for segment in facts.evidence.segments:
        for from_, until, since in _holds(segment):
            for seen, caption in told.get(segment.message_id, ()):
                if from_ + HAIR_S < seen.at < until - HAIR_S and caption.at > since + HAIR_S:
                    yield f"{caption.text!r} of {segment.message_id} began at {caption.at:.3f} s, while it was held"


def _holds(segment: Segment) -> Iterator[tuple[float, float, float]]:
    """From when to when the session knew that it was held, and since when it was."""
    held: tuple[float, float] | None = None
    for at, report in segment.told:
        if isinstance(report, Paused):
            held = at, at if report.at is None else report.at
        elif held and (isinstance(report, Resumed) or report is segment.told[-1][1]):
            yield held[0], at, held[1]
            held = None
    if held:
        yield held[0], math.inf, held[1]


def captions_keep_up_with_the_ears(facts: Facts) -> Iterator[str]:
    """I11: a word whose text was there is told when it has begun.

    Known where each character takes the same time: at the latest when the slowest estimate of it says so.
    """
    if not facts.evidence.ms_per_character or facts.evidence.seen is None:
        return
    told = _told(facts)
    for segment in facts.evidence.segments:
        message = facts.messages.get(segment.message_id)
        if message is None or len(message.parts) != 1 or message.shown or message.corrected:
            continue
        if message.id in facts.evidence.undecided or facts.was_lost(message.id):
            continue
        captions = told.get(message.id, [])
        over = facts.ended_at.get(message.id, -math.inf)
        for at, report in segment.told:
            if isinstance(report, Untold) or at >= over:
                continue
            heard_ms = report.frames * 1000 // facts.evidence.rate
            due = _begun(message, at - facts.evidence.delay - facts.evidence.moment, heard_ms - _BATCH_MS)
            seen = sum(seen.at <= at + facts.evidence.moment for seen, _ in captions)
            if seen < due:
                yield f"{heard_ms} ms of {message.id} were heard at {at:.3f} s, and {seen} words told, not {due}"
                break


def _begun(message: WireMessage, until: float, heard_ms: int) -> int:
    """How many words have begun for certain, of those that were there."""
    count = start = 0
    for word in whole_words(message.text_until(until), over=False):
        if start * MS_PER_CHARACTER >= heard_ms:
            break
        count, start = count + 1, start + len(word)
    return count


# -------------------------------------------------------------------------------------------------- when it has ended


def captions_end_once(facts: Facts) -> Iterator[str]:
    """I11: once for each message of which audio was heard, behind its last caption; for others, never."""
    if facts.evidence.seen is None:
        return
    told, ends = _told(facts), _ends(facts)
    for message_id in sorted({*told, *ends, *facts.segments}):
        ended = ends.get(message_id, [])
        expected = int(message_id in facts.ended_at and facts.heard_frames(message_id) > 0)
        if len(ended) != expected:
            yield f"the captions of {message_id} ended {len(ended)} times, not {expected}"
    over: set[str] = set()
    for seen in facts.evidence.seen:
        if seen.caption.message_id in over and isinstance(seen.caption, Caption):
            yield f"{seen.caption.text!r} of {seen.caption.message_id} was told when its captions had ended"
        if isinstance(seen.caption, CaptionsEnded):
            over.add(seen.caption.message_id)


def words_are_those_told(facts: Facts) -> Iterator[str]:
    """I11: all that were told, but for the last one if that was stopped in the middle; and they are the text."""
    told = _told(facts)
    for message_id, ends in _ends(facts).items():
        captions = [caption for _, caption in told.get(message_id, ())]
        message = facts.messages.get(message_id)
        for seen, ended in ends:
            count = len(ended.words)
            made = message is not None and _was_complete(facts, message, seen.at - facts.evidence.delay)
            in_full = made and not (ended.interrupted or facts.shown.get(message_id))
            least = len(captions) if in_full else len(captions) - 1
            if count > len(captions) or (count < least and not (message and message.corrected)):
                yield f"{len(captions)} words of {message_id} were told, but {count} count as heard"
            for word, caption in zip(ended.words, captions, strict=False):
                if (word.start_ms, word.at, word.estimated) != (caption.start_ms, caption.at, caption.estimated):
                    yield f"{caption.text!r} of {message_id} was told as {caption}, and in the end as {word}"
            yield from _they_are_the_text(facts, ended)
            if ended.interrupted and message and not (_has_pieces(facts, message) or message.corrected):
                yield from _they_had_ended(facts, message, ended)


def _was_complete(facts: Facts, message: WireMessage, at: float) -> bool:
    """Whether the session knew by then that it had all of it: before it heard that the response had not ended well."""
    response = facts.responses.get(message.response_id)
    ended_at = response.done_at if response and response.status != "completed" else None
    in_time = message.done_at is not None and (ended_at is None or message.done_at <= ended_at)
    return message.completed_by(at) and in_time and not facts.was_lost(message.id)


def _they_had_ended(facts: Facts, message: WireMessage, ended: CaptionsEnded) -> Iterator[str]:
    """Known where each character takes the same time; if all audio was heard, they have for certain."""
    pace, heard_ms = facts.evidence.ms_per_character, facts.heard_ms(message.id)
    frames = len(facts.audio_of(message)) // BYTES_PER_FRAME
    words = "".join(word.text for word in ended.words)
    if pace and len(words) * pace > heard_ms + 1 and facts.heard_frames(message.id) < frames:
        yield f"{words!r} of {message.id} count as heard, but of that only {heard_ms} ms were"


def _they_are_the_text(facts: Facts, ended: CaptionsEnded) -> Iterator[str]:
    message_id, words = ended.message_id, "".join(word.text for word in ended.words)
    shown = facts.shown.get(message_id, "")
    text = ended.text.removesuffix(facts.evidence.cut_mark) if ended.interrupted else ended.text
    same = sorted(words + shown) == sorted(text) if shown else words == text
    if not same:
        yield f"the words of {message_id} are {words!r}, with {shown!r} shown, but its text is {text!r}"
    heard_ms = facts.heard_ms(message_id)
    for before, after in pairwise(ended.words):
        if after.start_ms < before.end_ms:
            yield f"{before.text!r} of {message_id} is told to have ended in the next word: {before.end_ms} ms"
    for word in ended.words:
        if word.end_ms > heard_ms:
            yield f"{word.text!r} of {message_id} ends at {word.end_ms} ms, but {heard_ms} ms were heard"


def history_has_the_words(facts: Facts) -> Iterator[str]:
    """I11: what was told when a message ended stands in the history, and a cut has its mark there."""
    said = {event.message.id: event.message for event in facts.evidence.events if isinstance(event, AgentSaid)}
    for message_id, ends in _ends(facts).items():
        item = said.get(message_id)
        for _, ended in ends if item else ():
            assert item
            if item.heard_text != ended.text:
                yield f"{ended.text!r} was heard of {message_id}, but the history has {item.heard_text!r}"
            heard = facts.words_of(item)
            if item.interrupted and heard and item.heard_text != heard + facts.evidence.cut_mark:
                yield f"{message_id} is cut, but its text in the history is {item.heard_text!r}"
            if item.interrupted != ended.interrupted:
                yield f"{message_id} is told to be interrupted: {item.interrupted}, its captions: {ended.interrupted}"


def charts_agree_on_the_end(facts: Facts) -> Iterator[str]:
    """I11: what was heard of a message in full is whole, what in part is cut there, or no word of it was heard."""
    messages, transcripts = _last_states(facts, MESSAGE.name), _last_states(facts, TRANSCRIPT.name)
    texts = {message_id: ended.text for message_id, ends in _ends(facts).items() for _, ended in ends}
    for message_id, end in messages.items():
        if end not in MESSAGE.final or facts.evidence.seen is None:
            continue
        message, state = facts.messages.get(message_id), transcripts.get(message_id)
        followed = message is not None and bool(message.pieces or message.audios) and not message.shown
        if state is None:
            if followed and facts.evidence.settled and facts.heard_frames(message_id):
                yield f"{message_id} is {end}, but nobody followed its words"
            continue
        expected = "silent"
        if facts.heard_frames(message_id):
            expected = "whole" if end == "full" else "cut" if texts.get(message_id) else "silent"
        if state != expected:
            yield f"{message_id} is {end}, but its transcript is {state}, not {expected}"


# ------------------------------------------------------------------------------------------------- when all is quiet


def alignments_are_let_go(facts: Facts) -> Iterator[str]:
    """I10: when all messages have ended, nobody keeps anything of their words."""
    kept = facts.evidence.alignments
    announced = {event.message_id for event in facts.evidence.events if isinstance(event, MessageAnnounced)}
    transcripts = _last_states(facts, TRANSCRIPT.name)
    over = all(transcripts.get(message_id, "waiting") in TRANSCRIPT.final for message_id in announced)
    if kept and (over or facts.evidence.settled) and announced <= facts.ended_at.keys():
        yield f"all messages have ended, but the words of {kept} pieces are still kept"


I11 = (
    captions_are_of_what_is_heard,
    captions_go_forward,
    captions_stand_still_with_the_device,
    captions_keep_up_with_the_ears,
    captions_end_once,
    words_are_those_told,
    history_has_the_words,
    charts_agree_on_the_end,
)
I10 = (alignments_are_let_go,)
