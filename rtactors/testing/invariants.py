"""What must hold after every conversation, whatever happened in it: I1 to I12, checked by one function.

    check_invariants(evidence)      # raises InvariantBroken, which lists all that is wrong

The evidence comes from outside of what is judged: what was heard from the sink itself (`Ears`), what was sent, and what
is held, from the server's own log and history. From the session come only its answers: the chat history, and the
stream of what it says it did. See `rtactors.testing.evidence`.

- I1  the server keeps what was heard of each message, and nothing of what was not heard
- I2  audio, server and history tell of the same messages, in the same order
- I3  each message ends once: full, partial or skipped; the history says which
- I4  one message at a time at the sink; speaking starts once for a response; each message has its own times
- I5  a cut is never at 0, never beyond what was generated, never of what isn't there, never twice, never for nothing
- I6  a delete is never of what isn't known, never twice; nothing is created while it is being deleted
- I7  one default response at a time; each reply that was asked for is started, or failed with a reason
- I8  a function call runs once, when it is complete; its output is sent once
- I9  after a reconnect the server's history equals ours
- I10 nothing is waited for any more, nothing is left running, and nothing is kept of what has ended
- I11 the heard text ends where the heard audio ends; captions are never ahead of the ears, and are that text
- I12 the same events give the same states and effects

One ms is the unit by which servers cut, so a difference below it is none. Where the network ended the conversation, the
server could not be told anything more: then only our own record is judged.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from msgspec import Struct

from rtactors.actors.context import CALL_CANCELLED
from rtactors.events import BYTES_PER_FRAME
from rtactors.history import HistoryItem
from rtactors.loopback.conversation import Snapshot
from rtactors.session_events import (
    AgentSaid,
    AgentStartedSpeaking,
    AgentStoppedSpeaking,
    Dropped,
    FunctionCalled,
    Transition,
)
from rtactors.testing import asking, calling, captioning, conduct, delegating
from rtactors.testing.conduct import MOST
from rtactors.testing.ears import Segment
from rtactors.testing.evidence import HAIR_S, Evidence, Facts
from rtactors.testing.wire_story import Operation, WireMessage
from statecharts.catalog import CHARTS
from statecharts.chart import IllegalEvent, Life
from statecharts.message import MESSAGE, ChatMessage


class Violation(Struct, frozen=True):
    """One thing that does not hold."""

    invariant: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.sentence}"


class InvariantBroken(AssertionError):
    """What should hold after every conversation does not."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("\n".join(["", *map(str, violations)]))
        self.violations = tuple(violations)


def check_invariants(evidence: Evidence) -> None:
    """Raises InvariantBroken with everything that is wrong. Raises ValueError if the evidence is not complete."""
    if not evidence.connections:
        raise ValueError("there was no connection: nothing can be judged")
    if any(isinstance(event, Dropped) for event in evidence.events):
        raise ValueError("the session's events are not complete: read them faster, or give `Bounds.events` more room")
    facts = Facts(evidence)
    violations = [
        Violation(name, sentence)
        for name, checks in INVARIANTS.items()
        for check in checks
        for sentence in check(facts)
    ]
    if violations:
        raise InvariantBroken(violations)


# ------------------------------------------------------------------------------------------------- what was heard


def server_keeps_what_was_heard(facts: Facts) -> Iterator[str]:
    if not facts.connection.open:
        return
    for message in facts.story.messages.values():
        if facts.gave_up(message.id) or message.id in facts.evidence.undecided:
            continue
        held = facts.held.get(message.id)
        if message.only_shown or facts.rewritten(message.id):
            yield from _server_keeps_the_text(facts, message, held)
        elif held and facts.heard_ms(message.id) and facts.is_voiced(message):
            if held.frames != message.frames:
                yield f"the server keeps {held.audio_ms} ms of {message.id}, which was to be left whole"
        else:
            yield from _server_keeps_the_audio(facts, message, held)


def _server_keeps_the_audio(facts: Facts, message: WireMessage, held: Snapshot | None) -> Iterator[str]:
    heard_ms = facts.heard_ms(message.id)
    if held is None:
        if facts.differ(heard_ms, 0) and not facts.may_be_gone(message.id):
            yield f"{heard_ms} ms of {message.id} were heard, but the server does not hold it"
    elif not heard_ms:
        yield f"nothing of {message.id} was heard, but the server holds {held.audio_ms} ms of it"
    elif facts.differ(held.audio_ms, heard_ms) and not _was_shorter(message, held, heard_ms):
        yield f"the server keeps {held.audio_ms} ms of {message.id}, but {heard_ms} ms were heard"


def _server_keeps_the_text(facts: Facts, message: WireMessage, held: Snapshot | None) -> Iterator[str]:
    """Of text the server keeps what was shown, or heard of our own voice; and of what was written anew just that."""
    item, shown = facts.said.get(message.id), facts.shown.get(message.id, "")
    mark = facts.evidence.cut_mark if item and item.interrupted and facts.rewritten(message.id) else ""
    heard = item.heard_text if item and (facts.heard_ms(message.id) or not message.only_shown) else shown + mark
    if facts.may_be_gone(message.id):
        return
    if held is None:
        if heard.strip():
            yield f"{heard!r} was heard of {message.id}, but the server does not hold it"
    elif not heard.strip() and message.text.strip():
        yield f"nothing of {message.id} was heard or shown, but the server holds {held.text!r}"
    elif held.text != heard:
        yield f"the server keeps {held.text!r} of {message.id}, but {heard!r} was heard"
    elif held.frames:
        yield f"the server keeps {held.audio_ms} ms of {message.id}, which was to be written anew"


def _was_shorter(message: WireMessage, held: Snapshot, heard_ms: int) -> bool:
    """The server never held as much as it sent: it said so when it was to be cut, or there was nothing to cut."""
    unanswered = any(cut.answered_at is None for cut in message.truncates)  # it could not say so any more
    return held.audio_ms < heard_ms and (not message.truncates or held.audio_ms in message.limits_ms or unanswered)


def all_tell_of_the_same(facts: Facts) -> Iterator[str]:
    for segment in facts.evidence.segments:
        if message := facts.messages.get(segment.message_id):
            yield from _one_tells_of_the_same(facts, segment, message)
        else:
            yield f"the sink played {segment.message_id}, which the server never sent"
    for item in facts.said.values():
        message = facts.messages.get(item.id)
        if message is not None and not facts.heard_ms(item.id) and not facts.shown.get(item.id):
            yield f"nothing of {item.id} was heard, but it stands in the history"
    if facts.connection.open:
        yield from _server_and_history(facts)
    if facts.evidence.journalled is not None:
        yield from _journal_and_history(facts.evidence.journalled, facts.evidence.history)


def _journal_and_history(journalled: tuple[HistoryItem, ...], everything: tuple[HistoryItem, ...]) -> Iterator[str]:
    """A function call that broke off stands on the server, and so in the history; who resumes has no use for it.

    Nor for its output, which no server would take without the call.
    """
    broken = {item.call_id for item in everything if item.kind == "function_call" and item.status != "completed"}
    history = [item for item in everything if not item.call_id or item.call_id not in broken]
    for index in range(max(len(journalled), len(history))):
        there = journalled[index] if index < len(journalled) else "nothing"
        here = history[index] if index < len(history) else "nothing"
        if there != here:
            yield f"item {index + 1} in the journal is {there}, in the history {here}"


def _one_tells_of_the_same(facts: Facts, segment: Segment, message: WireMessage) -> Iterator[str]:
    sent, heard = facts.audio_of(message), segment.audio
    if not sent.startswith(heard):
        same = next(
            (index for index, (one, other) in enumerate(zip(sent, heard, strict=False)) if one != other), len(sent)
        )
        yield f"what was heard of {message.id} is not what the server sent, from {facts.ms(same)} ms on"
    item, heard_ms = facts.history.get(message.id), facts.heard_ms(message.id)
    if item is None:
        less_than_a_word = message.only_shown and not heard_words(facts, message)
        if facts.differ(heard_ms, 0) and not facts.may_be_gone(message.id) and not less_than_a_word:
            yield f"{heard_ms} ms of {message.id} were heard, but the history has nothing of it"
        return
    if facts.differ(item.heard_ms, heard_ms):
        yield f"the history has {item.heard_ms} ms of {message.id}, but {heard_ms} ms were heard"
    if item.confirmed != facts.certain(segment):
        confirmed, told = ("" if yes else "not " for yes in (item.confirmed, facts.certain(segment)))
        yield f"the history calls the position of {message.id} {confirmed}confirmed; the sink had {told}confirmed it"


def _server_and_history(facts: Facts) -> Iterator[str]:
    excused = {item_id for item_id in {*facts.held, *facts.history} if facts.gave_up(item_id)}
    excused |= facts.evidence.undecided
    theirs = [item_id for item_id in facts.held if item_id not in excused]
    ours = [item_id for item_id in facts.history if item_id not in excused]
    for item_id in theirs:
        if item_id not in facts.history:
            yield f"the server holds {item_id}, which is not in the history"
    for item_id in ours:
        if item_id not in facts.held:
            yield f"{item_id} stands in the history, but the server does not hold it"
    both = {*theirs} & {*ours}
    if [item_id for item_id in theirs if item_id in both] != [item_id for item_id in ours if item_id in both]:
        yield f"the server has the order {', '.join(theirs)}, the history {', '.join(ours)}"


def each_message_ends_once(facts: Facts) -> Iterator[str]:
    ends: dict[str, list[str]] = {}
    chats: dict[str, list[ChatMessage]] = {}
    for event in facts.evidence.events:
        if isinstance(event, Transition) and event.chart == MESSAGE.name:
            if event.after in MESSAGE.final and event.before not in MESSAGE.final:
                ends.setdefault(event.id, []).append(event.after)
            chats.setdefault(event.id, []).extend(e for e in event.effects if isinstance(e, ChatMessage))
    for message in facts.messages.values():
        ended = ends.get(message.id, [])
        lost = facts.was_lost(message.id) or message.id in facts.evidence.undecided
        if not ended and lost and message.id not in facts.segments:
            continue  # with its server, or it was not told any more
        if len(ended) == 1:
            yield from _its_end(facts, message, ended[0], len(chats.get(message.id, [])))
        else:
            yield f"{message.id} ended {len(ended)} times ({', '.join(ended) or 'never'}), not once"
    told = [event.message.id for event in facts.evidence.events if isinstance(event, AgentSaid)]
    both = facts.segments.keys() & {*told}
    if [each for each in told if each in both] != [each for each in facts.segments if each in both]:
        yield f"chat messages came in the order {', '.join(told)}, but were heard as {', '.join(facts.segments)}"


def _its_end(facts: Facts, message: WireMessage, end: str, chats: int) -> Iterator[str]:
    expected = 0 if end == "skipped" else 1
    if chats != expected:
        yield f"{message.id} is {end} and gave {chats} chat messages, not {expected}"
    item = facts.said.get(message.id)
    if (item is None) != (end == "skipped") and not facts.may_be_gone(message.id):
        yield f"{message.id} is {end}, and {'not in' if item is None else 'in'} the history"
    if item and item.interrupted != (end == "partial"):
        yield f"{message.id} is {end}, but the history says interrupted={item.interrupted}"
    heard_ms, shown = facts.heard_ms(message.id), facts.shown.get(message.id, "")
    frames = len(facts.audio_of(message)) // BYTES_PER_FRAME
    all_heard = bool(frames or shown) and frames <= facts.heard_frames(message.id)
    everything = all_heard and (not message.only_shown or frames > 0 or shown == message.text)
    if end == "skipped" and (shown.strip() or (facts.differ(heard_ms, 0) and not message.only_shown)):
        yield f"{message.id} counts as skipped, but {heard_ms} ms of it were heard, and {shown!r} was shown"
    if end == "skipped" and message.only_shown and heard_words(facts, message):
        yield f"{message.id} counts as skipped, but {heard_words(facts, message)!r} was heard"
    if facts.was_lost(message.id):
        return
    if end == "full" and not everything:
        yield f"{message.id} counts as full, but {heard_ms} of {facts.ms(2 * frames)} ms were heard"
    if end != "full" and (frames or (message.only_shown and message.text.strip())) and not _was_stopped(facts, message):
        yield f"{message.id} is {end}, but nobody stopped it"


def heard_words(facts: Facts, message: WireMessage) -> str:
    """What was surely heard of a text that our own voice spoke: its whole words, but for the last one."""
    pace = facts.evidence.ms_per_character
    end = int(facts.heard_ms(message.id) / pace) if pace else 0
    return " ".join(message.text[:end].split()[:-1])


def _was_stopped(facts: Facts, message: WireMessage) -> bool:
    """The device was told to stop, or never told its end; or it was interrupted before the device had any of it."""
    segment = facts.segments.get(message.id)
    if segment is None:
        return message.id in facts.interrupted or facts.evidence.device_lost_at is not None
    return segment.cleared_at is not None or not facts.certain(segment) or message.id in facts.problems


def one_message_at_a_time(facts: Facts) -> Iterator[str]:
    for segment in facts.evidence.segments:
        if segment.overlapped:
            yield f"{segment.message_id} began at the sink while another message was there"
    for before, after in pairwise(segment for segment in facts.evidence.segments if segment.started_at is not None):
        if (
            before.stopped_at is not None
            and after.started_at is not None
            and after.started_at < before.stopped_at - HAIR_S
        ):
            yield f"{after.message_id} started at {after.started_at:.3f} s, before {before.message_id} had stopped"
    started = [event.response_id for event in facts.evidence.events if isinstance(event, AgentStartedSpeaking)]
    stopped = [event.response_id for event in facts.evidence.events if isinstance(event, AgentStoppedSpeaking)]
    heard = {facts.messages[each.message_id].response_id for each in facts.segments.values() if _was_heard(facts, each)}
    for response_id in sorted({*started, *stopped, *heard}):
        begun, ended = started.count(response_id), stopped.count(response_id)
        if begun != 1 or ended != 1:
            yield f"response {response_id} started speaking {begun} times and stopped {ended} times, not once"
    for item in facts.said.values():
        segment = facts.segments.get(item.id)
        if (
            segment
            and facts.certain(segment)
            and (item.started_at, item.stopped_at) != (segment.started_at, segment.stopped_at)
        ):
            ours, theirs = f"{item.started_at} to {item.stopped_at}", f"{segment.started_at} to {segment.stopped_at}"
            yield f"the history says that {item.id} was heard from {ours} s, the sink says from {theirs} s"


def _was_heard(facts: Facts, segment: Segment) -> bool:
    return segment.message_id in facts.messages and facts.certain(segment) and segment.started_at is not None


# --------------------------------------------------------------------------------------------- what the server was told


def cuts_are_sound(facts: Facts) -> Iterator[str]:
    for story in facts.stories:
        for message in story.messages.values():
            yield from _cuts_of(facts, message)
        for operation in story.truncates:
            if operation.item_id not in story.messages:
                yield f"{operation.item_id} was cut, though it is no message of the model"
            elif not operation.known:
                yield f"{operation.item_id} was cut before the server had announced it, or after it was deleted"
    if not facts.connection.open:
        return
    for message in facts.story.messages.values():
        if message.only_shown or facts.is_voiced(message) or facts.rewritten(message.id):
            continue  # I1 knows what of its text is kept
        heard_ms, sent_ms = facts.heard_ms(message.id), facts.ms(len(message.audio))
        whole = not facts.differ(heard_ms, 0) or not facts.differ(heard_ms, sent_ms) or message.added_at is None
        if not whole and not message.truncates and not facts.may_be_gone(message.id):
            yield f"{message.id} was not cut, though {heard_ms} of {sent_ms} ms were heard"


def _cuts_of(facts: Facts, message: WireMessage) -> Iterator[str]:
    heard_ms = facts.heard_ms(message.id)
    for number, cut in enumerate(message.truncates):
        before = sum(len(audio) for part, audio in message.audios.items() if part < cut.part)
        of_part_ms = heard_ms - facts.ms(before)
        where = f"the cut of {message.id} at {cut.audio_end_ms} ms"
        corrected = number > 0 and message.truncates[number - 1].limit_ms == cut.audio_end_ms
        if cut.audio_end_ms <= 0:
            yield f"{where}: servers refuse a cut at 0"
        if cut.audio_end_ms > facts.ms(cut.generated):
            yield f"{where} is beyond the {facts.ms(cut.generated)} ms that had been generated"
        if not corrected and facts.differ(cut.audio_end_ms, of_part_ms):
            yield f"{where} is not where it was stopped: {heard_ms} ms were heard"
        if cut.part not in message.audios:
            yield f"{where} is one of part {cut.part}, which has no audio"
    if message.truncates and message.frames <= facts.heard_frames(message.id):
        yield f"{message.id} was cut, though all of it was heard"
    for before, after in pairwise(message.truncates):
        if before.limit_ms != after.audio_end_ms:
            yield from _not_twice(facts, before, after, "cut")
    yield from _not_given_up(facts, message)
    if len(message.truncates) > MOST:
        yield f"{message.id} was cut {len(message.truncates)} times"


def _not_given_up(facts: Facts, message: WireMessage) -> Iterator[str]:
    """A server that says how much it has is asked for just that."""
    if not message.truncates or not facts.evidence.settled or facts.was_lost(message.id) or facts.deleted(message.id):
        return
    last = message.truncates[-1]
    if len(message.truncates) < MOST and last.limit_ms:
        yield f"the cut of {message.id} was refused, since it has {last.limit_ms} ms only, and not sent again"


def _not_twice(facts: Facts, before: Operation, after: Operation, what: str) -> Iterator[str]:
    """Only what was never answered may be sent again, and only after its deadline."""
    waited = after.at - before.at
    if before.refused and not before.code.endswith("_invalid_item_id"):
        return  # it was not done, and another reason for it came up
    if before.answered_at is not None and before.answered_at < after.at - facts.evidence.round_trip:
        yield f"{before.item_id} was {what} again after the server had answered"
    elif waited < facts.evidence.deadlines.acknowledge - facts.evidence.round_trip:
        yield f"{before.item_id} was {what} twice within {waited:.3f} s"


def deletes_are_sound(facts: Facts) -> Iterator[str]:
    for story in facts.stories:
        for item_id, deletes in story.deletes.items():
            for delete in deletes[
                :1
            ]:  # by the second one, what became of the first may have been told, and not arrived
                if not delete.known:
                    yield f"{item_id} was deleted before the server had announced it"
            again = [one for one in story.creates if one.item_id == item_id]
            for before, after in pairwise(one for one in story.operations_on(item_id) if one in [*deletes, *again]):
                if before in deletes and after in deletes:  # else it is another one's with the same id
                    yield from _not_twice(facts, before, after, "deleted")
            if len(deletes) > MOST + len(again):
                yield f"{item_id} was deleted {len(deletes)} times"


def creates_are_sound(facts: Facts) -> Iterator[str]:
    for story in facts.stories:
        for create in story.creates:
            if create.while_deleting:
                yield f"{create.item_id} was created again before its delete was acknowledged"
            elif create.known:
                yield f"{create.item_id} was created again, though the server holds it"
        for message in story.messages.values():
            if sum(one.item_id == message.id for one in story.creates) > 1:
                yield f"{message.id} was written anew more than once"


def no_reply_is_lost(facts: Facts) -> Iterator[str]:
    for story in facts.stories:
        for response in story.responses.values():
            for at in response.asked_meanwhile:
                if at - response.created_at > facts.evidence.round_trip and response.id not in facts.problems:
                    yield f"another response was asked for at {at:.3f} s, while {response.id} was active"
    known = {response_id for story in facts.stories for response_id in story.responses} | facts.evidence.said.keys()
    for reply in facts.evidence.replies:
        if reply.failure is None and reply.response_id not in known:
            yield f"reply {reply.id} neither was started by the server, nor failed with a reason"
    answered = {value for response in facts.story.responses.values() for value in response.metadata}
    failed = {reply.id for reply in facts.evidence.replies if reply.failure is not None} | conduct.failed(facts)
    unanswered = sorted(facts.story.requests.keys() - answered - facts.story.refused)
    if facts.connection.open and len(unanswered) > len(failed):
        yield f"nothing came of the request {', '.join(unanswered)}, and nobody was told"


def calls_run_once(facts: Facts) -> Iterator[str]:
    calls = [event.call_id for event in facts.evidence.events if isinstance(event, FunctionCalled)]
    complete = {call_id: whole for story in facts.stories for call_id, whole in story.calls.items()}
    for call_id in sorted({*calls}):
        if calls.count(call_id) > 1:
            yield f"function call {call_id} was run {calls.count(call_id)} times"
        if not any(story.begun_calls.get(call_id) for story in facts.stories):
            yield f"function call {call_id} was run, but it was never completed"
    history = facts.evidence.history
    creates = [create for story in facts.stories for create in story.creates]
    # Interrupted before its turn came; with its server the call is forgotten, and so is this.
    cancelled = {each.call_id for each in (*history, *creates) if each.output == CALL_CANCELLED}
    kept = (item for item in facts.connection.items if not (facts.may_be_gone(item.id) or facts.gave_up(item.id)))
    held = {item.call_id for item in kept}
    for call_id, whole in complete.items():
        # Of a request that was given up nothing is wanted: its calls are deleted.
        if whole and call_id not in calls and call_id in held - cancelled and facts.connection.open:
            yield f"function call {call_id} was completed, but not run"
    answered = [item.call_id for item in history if item.kind == "function_call_output"]
    sent = [create.call_id for create in creates if create.call_id]
    for call_id in sorted({*answered, *sent}):
        times = sent.count(call_id)
        if len(facts.stories) == 1 and times != 1 and (facts.connection.open or times):
            yield f"the output of function call {call_id} was sent {times} times, not once"
        broke_off = any(story.begun_calls.get(call_id) is False for story in facts.stories)  # it is told so
        if call_id not in calls and call_id not in cancelled and not broke_off:
            yield f"an output of function call {call_id} was sent, but it was never run"


def the_next_server_knows_what_was_heard(facts: Facts) -> Iterator[str]:
    if len(facts.stories) == 1 or not facts.connection.open:
        return
    for item in facts.evidence.history:
        held = facts.held.get(item.id)
        if held is None or facts.gave_up(item.id):
            continue  # I2 knows whether that may be
        if item.kind == "function_call" and item.call_id in facts.story.begun_calls:
            continue  # this server's own
        there = (held.type, held.role, held.call_id, held.name, held.arguments, held.output)
        here = (item.kind, item.role, item.call_id, item.name, item.arguments, item.output)
        if there != here:
            yield f"after the reconnect, {item.id} is {there} on the server, in the history {here}"
        written = not held.frames  # else it is the voice of somebody whose words are not known
        if written and held.text != item.heard_text:
            yield f"after the reconnect, {item.id} is {held.text!r} on the server, in the history {item.heard_text!r}"


# ------------------------------------------------------------------------------------------------------- how it ends


def every_wait_ends(facts: Facts) -> Iterator[str]:
    for name in facts.evidence.left_over:
        yield f"{name} still runs, though the session is over"
    for reply in facts.evidence.replies:
        if not reply.over:
            yield f"reply {reply.id} is still waited for ({reply.status})"


def text_ends_with_the_audio(facts: Facts) -> Iterator[str]:
    for item in facts.said.values():
        message = facts.messages.get(item.id)
        if message is None:
            continue
        heard_text = facts.words_of(item)
        if not _is_beginning(message, heard_text):
            yield f"the heard text of {item.id} is not the beginning of its text: {heard_text!r}"
        elif not facts.segments.get(item.id):
            if heard_text != facts.shown.get(item.id, heard_text):
                yield f"{facts.shown[item.id]!r} was shown of {item.id}, but its heard text is {item.heard_text!r}"
        elif (
            facts.evidence.ms_per_character
            and facts.audio_of(message)
            and item.confirmed
            and len(message.parts) == 1
            and not (facts.was_lost(item.id) or facts.shown.get(item.id))
        ):
            yield from _text_of(facts, message, item)


def _is_beginning(message: WireMessage, heard_text: str) -> bool:
    """Of its text; of one in several parts, of each of them."""
    heard = " ".join(heard_text.split())
    texts = (message.text, message.text_until(math.inf))  # as it is in the end, and before it was corrected
    if any(" ".join(text.split()).startswith(heard) for text in texts):
        return True
    for part in message.parts.values():
        text = " ".join(part.split())
        common = next((end for end in range(min(len(text), len(heard)), 0, -1) if text[:end] == heard[:end]), 0)
        heard = heard[common:].lstrip()
    return not heard


def _text_of(facts: Facts, message: WireMessage, item: HistoryItem) -> Iterator[str]:
    """One word more or less; while the model is still speaking its pace is a guess, so a tenth more."""
    assert facts.evidence.ms_per_character
    segment = facts.segments.get(item.id)
    stopped_at = segment.stopped_at if segment and segment.cleared_at is not None else None
    if stopped_at is None:
        least = most = message.text
    else:  # what the server sent just then, or before the device told the end, may have been known already, or not
        told_at = max((at for at, _ in segment.told), default=stopped_at) if segment else stopped_at
        least = message.text_until(stopped_at - facts.evidence.delay)
        most = message.text_until(max(stopped_at, told_at) + facts.evidence.delay)
    end = int(item.heard_ms / facts.evidence.ms_per_character)
    fewest, expected, heard = _whole_words(least, end), _whole_words(most, end), len(facts.words_of(item).split())
    tolerance = 1 if message.completed_by(stopped_at) else 1 + expected // 10
    if not fewest - tolerance <= heard <= expected + tolerance:
        yield (
            f"the heard text of {item.id} has {heard} words, but {item.heard_ms} ms of audio "
            f"are {expected} words: {item.heard_text!r}"
        )


def _whole_words(text: str, end: int) -> int:
    """How many words of the text end before its `end`th character."""
    if end < len(text):
        end = max(text.rfind(" ", 0, end + 1), 0)
    return len(text[:end].split())


def replay_gives_the_same(facts: Facts) -> Iterator[str]:
    lives: dict[tuple[str, str], Life] = {}
    said: dict[str, ChatMessage] = {}
    for number, event in enumerate(facts.evidence.events):
        if not isinstance(event, Transition):
            continue
        chart = CHARTS[event.chart]
        life = lives.setdefault((event.chart, event.id), chart.start(event.id))
        what = f"event {number}, {type(event.event).__name__} for {event.chart} {event.id}"
        if life.state != event.before:
            yield f"{what}: replayed it is {life.state}, recorded {event.before}"
            life.state = event.before
        try:
            effects = chart.fire(life, event.event)
        except IllegalEvent as illegal:
            yield f"{what}: {illegal}"
            continue
        if (life.state, effects) != (event.after, event.effects):
            yield f"{what}: replayed it gives {life.state} and {effects}, recorded {event.after} and {event.effects}"
        said.update((effect.message_id, effect) for effect in effects if isinstance(effect, ChatMessage))
    for item in facts.said.values():
        chat = said.get(item.id)
        if item.id in facts.messages and (
            chat is None or (chat.heard_ms, chat.interrupted) != (item.heard_ms, item.interrupted)
        ):
            yield f"the history's {item.id} ({item.heard_ms} ms heard) is not what the recorded events give: {chat}"


Check: TypeAlias = Callable[[Facts], Iterable[str]]

INVARIANTS: Mapping[str, Sequence[Check]] = {
    "I1": (server_keeps_what_was_heard,),
    "I2": (all_tell_of_the_same, conduct.removed_is_gone, conduct.texts_agree, conduct.placed_as_asked),
    "I3": (
        each_message_ends_once,
        conduct.nothing_is_shown_after_its_end,
        conduct.told_as_recorded,
        conduct.heard_in_order,
        conduct.stops_have_a_reason,
    ),
    "I4": (
        one_message_at_a_time,
        conduct.speaking_has_its_times,
        conduct.interruptions_stop_what_plays,
        asking.the_agent_does_what_is_said,
        asking.the_agent_thinks_while_it_generates,
        asking.interruptions_are_told,
        asking.the_user_interrupts_as_the_policy_says,
        asking.words_interrupt,
        asking.never_means_never,
    ),
    "I5": (cuts_are_sound,),
    "I6": (deletes_are_sound, creates_are_sound, conduct.nothing_is_refused, conduct.problems_are_true),
    "I7": (
        no_reply_is_lost,
        conduct.cancels_have_a_reason,
        conduct.what_is_stopped_is_cancelled,
        conduct.failures_have_a_cause,
        conduct.replies_end_as_their_responses,
        conduct.what_was_broken_off_is_asked_for,
        asking.one_is_asked_for_at_a_time,
        asking.more_urgent_comes_first,
        asking.joined_have_one_outcome,
        asking.asked_as_wanted,
        asking.unwanted_leaves_nothing,
        asking.beside_leaves_nothing,
        asking.handles_tell_the_truth,
    ),
    "I8": (calls_run_once, conduct.calls_carry_what_was_given, *calling.CHECKS, *delegating.CHECKS),
    "I9": (the_next_server_knows_what_was_heard,),
    "I10": (
        every_wait_ends,
        conduct.a_lost_connection_is_noticed,
        conduct.nothing_is_under_way,
        conduct.leaving_takes_no_longer,
        conduct.sinks_are_given_their_time,
        conduct.control_overtakes_audio,
        *captioning.I10,
        asking.every_wait_of_a_handle_ends,
        asking.no_request_outlives_its_time,
    ),
    "I11": (
        text_ends_with_the_audio,
        conduct.the_whole_text_was_heard,
        conduct.the_user_is_quoted,
        *captioning.I11,
    ),
    "I12": (replay_gives_the_same, conduct.times_never_go_back),
}
"""What is checked for each of them: given the facts, a sentence for everything that does not hold."""
