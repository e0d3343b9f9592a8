"""How a session conducts itself: what else must hold under each invariant, beyond what is kept and told at the end.

These are checks of `rtactors.testing.invariants`, each under the number of the invariant that it belongs to: that
everything is done in time, once, and for a reason; that what was heard, cut or removed stays so; that texts agree; that
nothing is under way when all is quiet. They go by the same evidence.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from rtactors.operations import number_of
from rtactors.session_events import (
    AgentSaid,
    AgentStartedSpeaking,
    AgentStoppedSpeaking,
    ConnectionChanged,
    FunctionCalled,
    MessageAnnounced,
    MessageShown,
    Problem,
    Transition,
    UserSaid,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)
from rtactors.testing.ears import Segment
from rtactors.testing.evidence import HAIR_S, Facts
from rtactors.testing.wire_story import BUSY, LONG_BUSY, WireResponse
from statecharts.call import CALL
from statecharts.interruption import INTERRUPTION, Interrupt, SpeechBegan
from statecharts.item import ITEM, Report, SendDelete, SendTruncate
from statecharts.message import MESSAGE
from statecharts.playback import PLAYBACK
from statecharts.response import RESPONSE, Cancel, Fail, Request
from statecharts.transcript import TRANSCRIPT

MOST = 2
"""How often an operation is sent: once more if it is not answered, or if the server says how to do it right."""
_SILENT = "the server began it and then fell silent"
_OTHER_CONTROL_S = 0.2
"""Seconds for other commands that are decided in the same moment."""
_RACES = {
    "response_cancel_not_active",  # it ended by itself just then
    "conversation_already_has_active_response",  # the server had begun one by itself just then
    "input_audio_buffer_commit_empty",  # the app's own doing
    "invalid_tool_call_id",  # the app had taken the call out of the conversation
}
"""Codes of what a server may refuse for good reason."""
_RESTING = {
    MESSAGE.name: MESSAGE.group("full", "partial", "skipped"),
    TRANSCRIPT.name: TRANSCRIPT.group("whole", "cut", "silent"),
    RESPONSE.name: RESPONSE.group("settled", "abandoned"),
    PLAYBACK.name: PLAYBACK.group("finished"),
    ITEM.name: ITEM.group("unknown", "condemned", "present", "truncated", "unconfirmed", "gone"),
    CALL.name: CALL.group("refused", "answered", "failed", "stopped"),
}
"""The states of each chart in which nothing is waited for."""

# ------------------------------------------------------------------------------------------------- what is recorded


def removed_is_gone(facts: Facts) -> Iterator[str]:
    """I2: what the app took out stands nowhere."""
    for item_id in sorted(facts.evidence.removed):
        if item_id in facts.history:
            yield f"{item_id} was removed, but stands in the history"
        excused = item_id in facts.evidence.undecided or facts.gave_up(item_id)
        if facts.connection.open and item_id in facts.held and not excused:
            yield f"{item_id} was removed, but the server holds it"


def placed_as_asked(facts: Facts) -> Iterator[str]:
    """I2: what the app put between two items stands between them."""
    place = {item.id: index for index, item in enumerate(facts.evidence.history)}
    for placed in facts.evidence.placed:
        here = place.get(placed.item_id)
        if here is None:
            continue
        for other in sorted(placed.before & place.keys()):
            if place[other] > here:
                yield f"{placed.item_id} was put behind {other}, but stands before it"
        for other in sorted(placed.behind & place.keys()):
            if place[other] < here:
                yield f"{placed.item_id} was put before {other}, but stands behind it"


def heard_in_order(facts: Facts) -> Iterator[str]:
    """I3: messages are heard in the order in which the model made them."""
    order: list[tuple[float, str, int, str]] = []
    for segment in facts.evidence.segments:
        message, response = facts.messages.get(segment.message_id), _response_of(facts, segment.message_id)
        if message and response and message.index is not None and not message.ours:  # that keeps to no server's order
            order.append((response.created_at, response.id, message.index, message.id))
    for before, after in pairwise(order):
        if after < before:
            yield f"{before[3]} was heard before {after[3]}, but the model made it after"


def texts_agree(facts: Facts) -> Iterator[str]:
    """I2: of what is not spoken by the model, server and history have the same content; of what is, all that came."""
    if not facts.connection.open:
        return
    transcripts = dict(facts.story.transcripts)
    for item in facts.evidence.history:
        held = facts.held.get(item.id)
        if held is None or item.role == "assistant":
            continue
        theirs = (held.call_id, held.name, held.arguments, held.output)
        ours = (item.call_id, item.name, item.arguments, item.output)
        if theirs != ours and item.status == "completed":
            yield f"{item.id} is {theirs} on the server, {ours} in the history"
        text = transcripts.get(item.id, "") if held.frames else held.text
        known = facts.evidence.settled or not held.frames  # else it may have been told too late
        if item.kind == "message" and item.heard_text != text and known:
            yield f"the text of {item.id} is {item.heard_text!r} in the history, but {text!r} was told"
    for item in facts.said.values():
        message = facts.messages.get(item.id)
        if message is None or facts.was_lost(item.id):
            continue
        generated_ms = facts.ms(len(message.audio))
        if item.generated_ms != generated_ms and facts.evidence.settled and not facts.is_voiced(message):
            yield f"the history says that {item.generated_ms} ms of {item.id} were generated, but it was {generated_ms}"
        if item.generated_text != message.text and facts.evidence.settled:
            yield f"the history has the text {item.generated_text!r} of {item.id}, but {message.text!r} was sent"


def nothing_is_shown_after_its_end(facts: Facts) -> Iterator[str]:
    """I3: text is shown while its message has its turn, as it was generated, and no more of it once that has ended."""
    over: set[str] = set()
    for event in facts.evidence.events:
        if isinstance(event, Transition) and event.chart == MESSAGE.name and event.after in MESSAGE.final:
            over.add(event.id)
        elif isinstance(event, MessageShown) and event.message_id in over:
            yield f"{event.text!r} of {event.message_id} was shown after that had ended"
    for message_id, shown in facts.shown.items():
        message = facts.messages.get(message_id)
        if message is None or shown not in message.text:
            yield f"{shown!r} was shown of {message_id}, which is no text of it"


def told_as_recorded(facts: Facts) -> Iterator[str]:
    """I3: what the app was told of a message is what the history says, and it was told once."""
    told = [event.message for event in facts.evidence.events if isinstance(event, AgentSaid)]
    for message in told:
        item = facts.history.get(message.id)
        fields = ("heard_ms", "interrupted", "started_at", "stopped_at", "confirmed")
        if item and any(getattr(item, field) != getattr(message, field) for field in fields):
            yield f"the app was told {message}, but the history says {item}"
    for message_id in sorted({message.id for message in told}):
        if (times := [message.id for message in told].count(message_id)) > 1:
            yield f"the app was told {times} times that {message_id} was said"
    announced = [event.message_id for event in facts.evidence.events if isinstance(event, MessageAnnounced)]
    for message_id in sorted({*announced}):
        if announced.count(message_id) > 1:
            yield f"{message_id} was announced {announced.count(message_id)} times"


def speaking_has_its_times(facts: Facts) -> Iterator[str]:
    """I4: the agent speaks from the first frame of a response to the end of its last message."""
    stopped = {e.response_id: e.at for e in facts.evidence.events if isinstance(e, AgentStoppedSpeaking)}
    for event in facts.evidence.events:
        if not isinstance(event, AgentStartedSpeaking):
            continue
        mine = [
            each
            for each in facts.evidence.segments
            if each.message_id in facts.messages
            and facts.messages[each.message_id].response_id == event.response_id
            and facts.told_start(each)
        ]
        begun = min((each.started_at for each in mine if each.started_at is not None), default=None)
        if begun != event.at:
            yield f"response {event.response_id} started speaking at {event.at:.3f} s, but was heard from {begun} s on"
        end = stopped.get(event.response_id)
        ends = (facts.told_end(each) for each in mine)
        last = max((told.at for told in ends if told is not None), default=event.at)
        if end is not None and end < last - HAIR_S:
            yield f"response {event.response_id} stopped speaking at {end:.3f} s, but was heard until {last:.3f} s"


def times_never_go_back(facts: Facts) -> Iterator[str]:
    """I12: events are told in the order in which they happened."""
    now = 0.0
    for event in facts.evidence.events:
        if isinstance(event, Transition | UserStartedSpeaking | UserStoppedSpeaking | UserSaid | MessageAnnounced):
            if event.at < now:
                yield f"{event} was told after something of {now:.3f} s"
            now = max(now, event.at)


def the_whole_text_was_heard(facts: Facts) -> Iterator[str]:
    """I11: of a message that was heard in full all the text counts as heard."""
    if not (facts.connection.open and facts.evidence.settled):
        return
    for item in facts.said.values():
        message = facts.messages.get(item.id)
        if message is None or message.status != "completed" or item.interrupted or facts.was_lost(item.id):
            continue
        response = _response_of(facts, item.id)
        told_late = response and response.done_at is not None and (message.done_at or 0) > response.done_at
        if item.heard_text != message.text and not (told_late and response and response.status != "completed"):
            yield f"{item.id} was heard in full, but its heard text is {item.heard_text!r}, not {message.text!r}"


def the_user_is_quoted(facts: Facts) -> Iterator[str]:
    """I11: the app hears of each of the user's turns when the server does, and what they said, in the same order."""
    if not (facts.connection.open and facts.evidence.settled) or len(facts.stories) > 1:
        return
    events = facts.evidence.events
    said = [(event.item_id, event.text) for event in events if isinstance(event, UserSaid)]
    if said != facts.story.transcripts:
        yield f"the server told the transcripts {facts.story.transcripts}, the session {said}"
    detected = [event for event in events if isinstance(event, UserStartedSpeaking | UserStoppedSpeaking)]
    detected = [event for event in detected if not number_of(event.item_id)]  # else the app said so
    started = sum(isinstance(event, UserStartedSpeaking) for event in detected)
    stopped = len(detected) - started
    if (started, stopped) != (len(facts.story.speech_started), len(facts.story.speech_stopped)):
        yield (
            f"the user started speaking {len(facts.story.speech_started)} times and stopped "
            f"{len(facts.story.speech_stopped)} times, but the app was told {started} and {stopped}"
        )


# ----------------------------------------------------------------------------------------------------- interruptions


def _interruptions(facts: Facts, *, surely: bool = True) -> Iterator[tuple[float, float]]:
    """From when to when an interruption reached the session, `surely` or maybe: the user's, and the app's own.

    Speech that the policy lets wait, or never lets interrupt, does so when that is decided.
    """
    evidence = facts.evidence
    begun = _begun(facts)
    yield from _decided(facts)
    waits = [event.at for event in begun if event.event.conditional or not event.event.enabled]
    closed_at = max((e.at for e in facts.evidence.events if isinstance(e, ConnectionChanged)), default=math.inf)
    for story, connection in zip(facts.stories, facts.evidence.connections, strict=True):
        for at in story.speech_started:
            if any(at - HAIR_S <= then <= at + evidence.delay + HAIR_S for then in waits):
                continue
            in_time = facts.connection.open or at < closed_at - facts.evidence.delay
            if not surely or (at < connection.heard_until and in_time):
                yield at, at + facts.evidence.delay + HAIR_S
    for at in facts.evidence.interruptions:
        yield at, at + HAIR_S


class _Begun(Struct):
    """The user began to speak, or the app said so."""

    at: float
    id: str
    event: SpeechBegan


def _begun(facts: Facts) -> list[_Begun]:
    return [
        _Begun(event.at, event.id, event.event)
        for event in facts.evidence.events
        if isinstance(event, Transition) and isinstance(event.event, SpeechBegan)
    ]


def _decided(facts: Facts) -> Iterator[tuple[float, float]]:
    """From when the user spoke to when that interrupted: what began in between may answer them.

    Only what the server heard counts, and what the app said; what interrupts at once is counted by the server's word.
    """
    begun: dict[str, float] = {}
    for event in facts.evidence.events:
        if not isinstance(event, Transition) or event.chart != INTERRUPTION.name:
            continue
        interrupts = any(isinstance(effect, Interrupt) for effect in event.effects)
        by_hand = bool(number_of(event.id))
        if isinstance(event.event, SpeechBegan):
            begun[event.id] = event.at
            interrupts = interrupts and by_hand
        if interrupts and (by_hand or _was_heard(facts, begun[event.id])):
            yield begun[event.id], event.at + facts.evidence.delay + HAIR_S


def _was_heard(facts: Facts, at: float) -> bool:
    """Whether it is the server who told that the user spoke then."""
    heard = (then for story in facts.stories for then in story.speech_started)
    return any(then - HAIR_S <= at <= then + facts.evidence.delay + HAIR_S for then in heard)


def interruptions_stop_what_plays(facts: Facts) -> Iterator[str]:
    """I4: what is being heard is told to stop at once, and nothing of a response begins after its interruption."""
    for first, last in _interruptions(facts):
        for segment in facts.evidence.segments:
            response = _response_of(facts, segment.message_id)
            if response is None or response.created_at + facts.evidence.delay >= first - HAIR_S:
                continue  # it may have begun after the interruption
            if segment.began_at > last:
                yield (
                    f"{segment.message_id} began to play at {segment.began_at:.3f} s, though its response "
                    f"{response.id} was interrupted at {first:.3f} s"
                )
            elif segment.began_at < first and _over_at(facts, segment) > last + HAIR_S:
                yield f"{segment.message_id} was not stopped when it was interrupted at {first:.3f} s"


def _over_at(facts: Facts, segment: Segment) -> float:
    """When the session stopped it, or was told that it was over."""
    told = (at for at, report in segment.told if report is segment.told_end())
    lost_at = facts.evidence.device_lost_at
    return min(
        math.inf if segment.cleared_at is None else segment.cleared_at,
        next(told, math.inf),
        math.inf if lost_at is None else lost_at,
        facts.ended_at.get(segment.message_id, math.inf),
    )


def _response_of(facts: Facts, message_id: str) -> WireResponse | None:
    message = facts.messages.get(message_id)
    return facts.responses.get(message.response_id) if message else None


def cancels_have_a_reason(facts: Facts) -> Iterator[str]:
    """I7: a cancel names a response that the client was told of, and that somebody stopped."""
    begun = {message.response_id for message in facts.messages.values()}
    stopped = {
        str(getattr(event.event, "response_id", ""))
        for event in facts.evidence.events
        if isinstance(event, Transition) and event.chart == RESPONSE.name and event.after == "interrupted"
    }
    for story in facts.stories:
        for cancel in story.cancels:
            if cancel.response_id is None:
                yield f"a cancel at {cancel.at:.3f} s names no response"
            elif cancel.response_id not in story.responses and cancel.response_id not in begun:
                yield f"{cancel.response_id} was cancelled, which the server had not begun"
            elif cancel.response_id not in stopped:
                yield f"{cancel.response_id} was cancelled, though nobody had interrupted it"


def what_is_stopped_is_cancelled(facts: Facts) -> Iterator[str]:
    """I7: the server is told to end what the app interrupted, unless it ends it by itself."""
    if not facts.connection.open:
        return
    cancelled = {cancel.response_id for cancel in facts.story.cancels}
    if not facts.evidence.faultless:  # a cancel may have been swallowed
        transitions = [event for event in facts.evidence.events if isinstance(event, Transition)]
        effects = [effect for event in transitions for effect in event.effects]
        cancelled |= {effect.response_id for effect in effects if isinstance(effect, Cancel)}
    for at in facts.evidence.interruptions:
        for response in facts.story.responses.values():
            if response.id not in cancelled and _goes_on(facts, response, at):
                yield f"{response.id} was interrupted at {at:.3f} s, but not cancelled"


def _goes_on(facts: Facts, response: WireResponse, at: float) -> bool:
    """Whether the session knew of it when it was interrupted, and it would have gone on for long."""
    soon = at + facts.evidence.round_trip + facts.evidence.delay
    known = response.created_at + facts.evidence.delay < at - HAIR_S
    if response.out_of_band or not known or (response.done_at is not None and response.done_at <= soon):
        return False
    spoken = any(response.created_at <= then <= soon for then in facts.story.speech_started)
    by_itself = response.reason == "turn_detected" or (response.done_at is None and spoken)
    return not by_itself


def _steered(facts: Facts) -> list[tuple[float, float]]:
    """When something may have been stopped because somebody wanted that: interruptions, leaving, stopping one reply."""
    evidence = facts.evidence
    times = [*_interruptions(facts, surely=False), *((at, at + HAIR_S) for at in evidence.stopped.values())]
    times += [(at, math.inf) for at in (evidence.left_at, evidence.device_lost_at) if at is not None]
    return times


def stops_have_a_reason(facts: Facts) -> Iterator[str]:
    """I3: what is being heard is stopped only if it was interrupted, if its sink did not end it, or to leave."""
    evidence = facts.evidence
    if evidence.left_at is None or not facts.connection.open:
        return
    ends = [at for at in (evidence.left_at, evidence.device_lost_at) if at is not None]
    refusals = [one.answered_at for one in facts.story.creates if one.refused and one.answered_at is not None]
    everything = [*_interruptions(facts, surely=False), *((at, math.inf) for at in ends)]
    everything += [(at, at + evidence.delay + HAIR_S) for at in refusals]  # of a question: its reply is not wanted
    if any(story.speech_started for story in facts.stories):  # a narrow network takes longer than `delay` to say so
        waits = {each.id for each in _begun(facts) if each.event.conditional or not each.event.enabled}
        spoke = [event for event in evidence.events if isinstance(event, UserStartedSpeaking)]
        everything += [(event.at, event.at + HAIR_S) for event in spoke if event.item_id not in waits]
    for segment in evidence.segments:
        at = segment.cleared_at
        response = _response_of(facts, segment.message_id)
        if at is None or response is None or not response.announced or not facts.certain(segment):
            continue  # it was given up because the sink did not tell, or nobody could know whose it is until later
        mine = [
            evidence.stopped[reply.id]
            for reply in evidence.replies
            if reply.id in evidence.stopped and reply.response_id in {None, response.id}
        ]
        stalled = at - response.created_at > evidence.deadlines.silence - HAIR_S
        times = [*everything, *((stop, stop + HAIR_S) for stop in mine)]
        if not stalled and not any(first - HAIR_S <= at <= last for first, last in times):
            yield f"{segment.message_id} was stopped at {at:.3f} s, and nobody had wanted that"


def failures_have_a_cause(facts: Facts) -> Iterator[str]:
    """I7: a reply fails only for what was refused, failed, or stopped."""
    if facts.evidence.left_at is None or not facts.connection.open or len(facts.stories) > 1:
        return
    asked_at: dict[str, float] = {}
    for event in facts.evidence.events:
        if not isinstance(event, Transition) or event.chart != RESPONSE.name:
            continue
        for effect in event.effects:
            if isinstance(effect, Request):
                asked_at[event.id] = event.at
            elif isinstance(effect, Fail) and not _may_fail(facts, event, asked_at.get(event.id, event.at)):
                yield f"reply {event.id} failed at {event.at:.3f} s ({effect.reason}), for no reason that there was"


def failed(facts: Facts) -> set[str]:
    """What was asked for by whom ever, and failed, as the session says."""
    transitions = (event for event in facts.evidence.events if isinstance(event, Transition))
    return {event.id for event in transitions if any(isinstance(effect, Fail) for effect in event.effects)}


def replies_end_as_their_responses(facts: Facts) -> Iterator[str]:
    """I7: what failed at the server has failed, and nothing else."""
    if not (facts.evidence.settled and facts.connection.open) or len(facts.stories) > 1:
        return
    refused = any(create.refused for create in facts.story.creates)
    for reply in facts.evidence.replies:
        response = facts.story.responses.get(reply.response_id or "")
        if response is None or response.done_at is None or reply.failure == _SILENT:
            continue
        if response.status == "failed" and reply.failure is None:
            yield f"response {response.id} failed, but its reply {reply.id} did not"
        elif response.status != "failed" and reply.failure is not None and not refused:
            yield f"reply {reply.id} failed ({reply.failure}), but response {response.id} was {response.status}"
        elif reply.failure is None and reply.status != response.status and response.id not in facts.problems:
            yield f"response {response.id} was {response.status}, but its reply is {reply.status}"


def what_was_broken_off_is_asked_for(facts: Facts) -> Iterator[str]:
    """I7: of a reply whose server was lost the next one says the rest, unless it was stopped or its call leads on."""
    if not (facts.evidence.settled and facts.connection.open):
        return
    called = {event.call_id for event in facts.evidence.events if isinstance(event, FunctionCalled)}
    for story, connection in zip(facts.stories[:-1], facts.evidence.connections, strict=False):
        leads_on = {story.call_of(call_id) for call_id in called}
        for reply in facts.evidence.replies:
            response = story.responses.get(reply.response_id or "")
            if response is None or reply.failure is not None or reply.interrupted or response.id in leads_on:
                continue
            if response.done_at is None or response.done_at > connection.heard_until:
                yield f"reply {reply.id} was broken off with response {response.id}, and nobody asked for the rest"


def _may_fail(facts: Facts, event: Transition, asked_at: float) -> bool:
    """Whether there was a reason at that moment: somebody's, or the server's."""
    evidence, at = facts.evidence, event.at
    if any(first - HAIR_S <= at <= last for first, last in _steered(facts)):
        return True
    just = at - evidence.delay - HAIR_S
    refused = [code for then, code in facts.story.refusals if just <= then <= at]
    questions = [one.answered_at for one in facts.story.creates if one.refused and one.answered_at is not None]
    busy = [code for _, code in facts.story.refusals if code == BUSY]
    beside = [event_id for event_id, one in facts.story.beside.items() if just <= (one.answered_at or 0) <= at]
    if response := facts.story.responses.get(event.id):  # the server began it by itself
        asked_at = response.created_at
    elif event.id not in {reply.id for reply in evidence.replies}:
        asked_at = -math.inf  # and did not say so
    reason = getattr(event.event, "reason", "")
    return (
        any(code != BUSY for code in refused)
        or (bool(refused) and len(busy) >= LONG_BUSY)
        or any(just <= then <= at for then in questions)
        or any(event_id in facts.story.refused for event_id in beside)
        or at - asked_at >= min(evidence.deadlines.start, evidence.deadlines.silence) - HAIR_S
        or " answer" in reason  # it is another response's now
        or "did not start it within" in reason  # `asking` knows whether that is so
    )


# --------------------------------------------------------------------------------------------------- function calls


def calls_carry_what_was_given(facts: Facts) -> Iterator[str]:
    """I8: the app gets the arguments as the model wrote them, the server gets the output as the app gave it."""
    written = {call_id: given for story in facts.stories for call_id, given in story.arguments.items()}
    for event in facts.evidence.events:
        if isinstance(event, FunctionCalled) and written.get(event.call_id) != (event.name, event.arguments):
            ours = (event.name, event.arguments)
            yield f"function call {event.call_id} was {written.get(event.call_id)}, but was run as {ours}"
    if not (facts.connection.open and facts.evidence.settled):
        return
    sent = {create.call_id: create.output for story in facts.stories for create in story.creates if create.call_id}
    never_held = any(facts.never_held(item_id) for item_id in facts.evidence.removed)  # may be such an output
    for call_id, output in facts.evidence.answers.items():
        if call_id not in sent and never_held:
            continue
        if call_id not in sent:
            yield f"function call {call_id} was answered, but the output was never sent"
        elif sent[call_id] != output:
            yield f"the output of function call {call_id} was {output!r}, but {sent[call_id]!r} was sent"


# ------------------------------------------------------------------------------------------------------- how it ends


def nothing_is_under_way(facts: Facts) -> Iterator[str]:
    """I10: when all is quiet, nobody waits for anything that could not come any more."""
    if not facts.evidence.settled:
        return
    last: dict[tuple[str, str], Transition] = {}
    for event in facts.evidence.events:
        if isinstance(event, Transition):
            last[event.chart, event.id] = event
    for (chart, life), event in last.items():
        if event.after not in _RESTING.get(chart, {event.after}) and life not in facts.problems:
            yield f"all was quiet, but {chart} {life} is still {event.after}"


def leaving_takes_no_longer(facts: Facts) -> Iterator[str]:
    """I10: leaving ends by its deadlines, whatever the server and the device do."""
    evidence = facts.evidence
    if evidence.left_at is None or evidence.ended_at is None:
        return
    took = evidence.ended_at - evidence.left_at
    if took > 2 * evidence.deadlines.close + HAIR_S:
        yield f"leaving took {took:.3f} s, with {evidence.deadlines.close:.3f} s for each of its two steps"


def sinks_are_given_their_time(facts: Facts) -> Iterator[str]:
    """I10: a segment whose end is not told is waited for, and no longer than that."""
    if facts.evidence.device_lost_at is not None:
        return
    for segment in facts.evidence.segments:
        ended_at = facts.ended_at.get(segment.message_id)
        if ended_at is None or facts.told_end(segment):
            continue
        asked_at = facts.asked_at(segment)
        waited = math.inf if asked_at is None else ended_at - asked_at
        if asked_at is None:
            yield f"{segment.message_id} ended at {ended_at:.3f} s, but its device was never asked to end it"
        elif waited < facts.evidence.deadlines.sink - facts.evidence.moment:
            yield f"{segment.message_id} was given up {waited:.3f} s after its device was asked to end it"
        elif asked_at == segment.cleared_at and waited > facts.evidence.deadlines.sink + facts.evidence.moment:
            yield f"{segment.message_id} was given up only {waited:.3f} s after its device was told to stop"


def control_overtakes_audio(facts: Facts) -> Iterator[str]:
    """I10: a cut or a delete goes out when it is decided, behind one frame of the user's audio at the most."""
    evidence = facts.evidence
    if evidence.held_up is None:
        return
    begun = min((record.at for record in facts.connection.log if not record.sent), default=math.inf)
    arrived: dict[tuple[str, int], float] = {}
    for operation in (*facts.story.truncates, *(each for all in facts.story.deletes.values() for each in all)):
        arrived.setdefault((operation.item_id, operation.audio_end_ms), operation.at)
    for event in evidence.events:
        if not isinstance(event, Transition) or event.chart != ITEM.name or event.at < begun:
            continue
        for effect in event.effects:
            at = event.at
            match effect:
                case SendTruncate():
                    at = arrived.get((effect.item_id, effect.audio_end_ms), event.at)
                case SendDelete():
                    at = arrived.get((effect.item_id, 0), event.at)
                case _:
                    pass
            if at - event.at > evidence.round_trip + evidence.held_up + _OTHER_CONTROL_S:
                yield f"{effect} was decided at {event.at:.3f} s, but reached the server at {at:.3f} s"


def nothing_is_refused(facts: Facts) -> Iterator[str]:
    """I6: a sound server has no reason to refuse anything, and no event is out of place."""
    by_race = {create.item_id for story in facts.stories for create in story.creates if create.code in _RACES}
    problems = [event for event in facts.evidence.events if isinstance(event, Problem)]
    for problem in problems:
        excused = problem.code in _RACES or problem.operation in by_race or _of_a_tool(facts, problem)
        excused = excused or _of_the_server(facts, problem)
        if not excused and ("cannot happen there" in problem.message or facts.evidence.faultless):
            yield f"there was a problem: {problem.message}"
    if facts.evidence.faultless:
        for story in facts.stories:
            for error in story.errors:
                if error.get("code") not in _RACES:
                    yield f"the server refused something: {error.get('message')}"


def _of_a_tool(facts: Facts, problem: Problem) -> bool:
    """Whether it is a function's, or of the reply to what functions gave; `calling` knows what each did."""
    called = {event.call_id for event in facts.evidence.events if isinstance(event, FunctionCalled)}
    by_app = {reply.id for reply in facts.evidence.replies}
    return bool(facts.evidence.tools or facts.evidence.delegate) and (
        problem.operation in called or (problem.operation.startswith("rt_reply") and problem.operation not in by_app)
    )


def _of_the_server(facts: Facts, problem: Problem) -> bool:
    """Whether it is of a reply to the user whose handle nobody holds, and the server said so."""
    if not problem.operation.startswith(("rt_answer_", "rt_owed_")):
        return False
    reason = problem.message.partition("what the user said: ")[2]
    said = (record.json for connection in facts.evidence.connections for record in connection.log if record.sent)
    return any(reason in str(frame) for frame in said)


def problems_are_true(facts: Facts) -> Iterator[str]:
    """I6: what the app is told to be wrong with an item was refused, or asked for twice and not answered in time."""
    if not facts.connection.open or len(facts.stories) > 1:
        return
    reports = (
        effect
        for event in facts.evidence.events
        if isinstance(event, Transition)
        for effect in event.effects
        if isinstance(effect, Report)
    )
    for report in reports:
        about = facts.story.operations_on(report.item_id)
        refused = [one for one in about if one.refused and not one.code.endswith("_delete_invalid_item_id")]
        patience = facts.evidence.deadlines.acknowledge - HAIR_S
        waited = [
            one for one in about if (one.answered_at or math.inf) - one.at >= patience - facts.evidence.round_trip
        ]
        asked_twice = len(waited) >= MOST or any(one in facts.story.creates for one in waited)
        if not refused and not asked_twice:
            yield f"the app was told of a problem that there was not: {report}"


def a_lost_connection_is_noticed(facts: Facts) -> Iterator[str]:
    """I10, and rule 11: a session without a connection is no session; it ends, or makes another one."""
    changes = [event for event in facts.evidence.events if isinstance(event, ConnectionChanged)]
    if facts.evidence.settled and any(change.state == "closed" and change.reason for change in changes[-1:]):
        yield f"the connection was lost ({changes[-1].reason}), and the session went on without one"
