"""How a session answers who asks for replies: what else must hold of requests, of their handles, and of the agent.

These are checks of `rtactors.testing.invariants`, as those of `rtactors.testing.conduct` are, each under the number of
the invariant that it belongs to: that a request is asked for in its turn, once, as it was wanted; that those which were
joined have one outcome; that what nobody wants any more, and what is beside the conversation, leave nothing in it; that
a handle tells the truth, and when; that the agent is said to do what it does.
"""

import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

from msgspec import Struct, field

from rtactors.interruption import Interruption
from rtactors.operations import operation_id
from rtactors.reply import Reply
from rtactors.session_events import (
    AgentStartedSpeaking,
    AgentStateChanged,
    AgentStoppedSpeaking,
    FunctionCalled,
    Interrupted,
    Transition,
    UserStartedSpeaking,
)
from rtactors.testing.ears import Segment
from rtactors.testing.evidence import Asked, Facts
from rtactors.testing.wire_story import WireRequest, WireResponse
from statecharts.agent import AGENT
from statecharts.interruption import INTERRUPTION
from statecharts.response import RESPONSE, Created

_OURS = operation_id("response", 1).removesuffix("1")
"""How the session's own requests are called: a test may send others."""
_UNDECIDED = INTERRUPTION.group("suspected", "committed")
_TOO_LATE = "did not start it within"
_GIVEN_UP = "it was given up before"
_TIMES = {"priority", "timeout", "interruption"}
"""What of a wish the server is not told: it is when it is asked."""


def _is_like_any_other(asked: Asked) -> bool:
    return not any(value for name, value in asked.wanted.items() if name not in _TIMES)


def _asked(facts: Facts) -> Iterator[tuple[Reply, Asked]]:
    for reply in facts.evidence.replies:
        if asked := facts.evidence.asked.get(reply.id):
            yield reply, asked


def _answers(facts: Facts) -> Iterator[tuple[Reply, Asked, WireResponse, WireRequest]]:
    """What the app asked for and the last server answered, as that was asked for it."""
    for reply, asked in _asked(facts):
        response = facts.story.responses.get(reply.response_id or "")
        if response and (request := facts.story.request_of(response)):
            yield reply, asked, response, request


# ------------------------------------------------------------------------------------------------- the queue


def one_is_asked_for_at_a_time(facts: Facts) -> Iterator[str]:
    """I7: the next default response is asked for when the server has answered the last request, or never will."""
    evidence = facts.evidence
    patience = min(evidence.deadlines.start, evidence.deadlines.stop) - evidence.round_trip - (evidence.held_up or 0)
    for story in facts.stories:
        ours = [request for event_id, request in story.requests.items() if event_id.startswith(_OURS)]
        for before, after in pairwise(ours):
            answered_at = math.inf if before.answered_at is None else before.answered_at
            if answered_at > after.at and after.at - before.at < patience:
                yield f"a response was asked for at {after.at:.3f} s, and the one of {before.at:.3f} s not answered yet"


def more_urgent_comes_first(facts: Facts) -> Iterator[str]:
    """I7: of those that wait the one with the highest priority is next, and of them the one that came first."""
    if len(facts.stories) > 1:
        return
    on_its_way = facts.evidence.round_trip + (facts.evidence.held_up or 0)
    answers = [each for each in _answers(facts) if not each[2].out_of_band]
    begun_for = _begun_for(facts)
    given_up = [asked for reply, asked in _asked(facts) if reply.response_id is None and _is_like_any_other(asked)]
    for one, other in combinations(answers, 2):
        (sooner, first, _, sent), (later, second, _, sent_then) = sorted((one, other), key=lambda each: each[3].at)
        waited = second.at < sent.at - on_its_way - facts.evidence.moment
        urgent, plain = (asked.wanted.get("priority", 0) for asked in (second, first))
        if sent is sent_then or not waited:
            continue
        if urgent > plain:
            yield f"{later.id} ({urgent}) waited, but {sooner.id} ({plain}) was asked for before it"
        in_its_place = _is_like_any_other(first) and any(each.at <= second.at for each in given_up)
        joined = [asked for reply, asked in _asked(facts) if reply.response_id == sooner.response_id]
        led_by_app = begun_for.get(sooner.response_id or "", "").partition(" ")[0] in facts.evidence.asked
        came_first = led_by_app and second.at < min(asked.at for asked in joined) - facts.evidence.moment
        if urgent == plain and came_first and not in_its_place:
            yield f"{later.id} waited since {second.at:.3f} s, but {sooner.id}, which came later, was asked for first"


def joined_have_one_outcome(facts: Facts) -> Iterator[str]:
    """I7: only what wants nothing in particular is joined, no two questions are, and all of it ends alike."""
    groups: dict[str, list[tuple[Reply, Asked]]] = {}
    for reply, asked in _asked(facts):
        groups.setdefault(reply.response_id or reply.id, []).append((reply, asked))
    for response_id, group in groups.items():
        if len(group) == 1:
            continue
        names = ", ".join(reply.id for reply, _ in group)
        outcomes = {
            (reply.status, reply.interrupted, reply.failure, tuple(item.id for item in reply.messages))
            for reply, _ in group
        }
        if len(outcomes) > 1:
            yield f"{names} are one response, {response_id}, but ended in {len(outcomes)} ways: {outcomes}"
        if not all(_is_like_any_other(asked) for _, asked in group):
            yield f"{names} were joined to {response_id}, though one wants what the others do not"
        if len({asked.wanted.get("interruption") for _, asked in group}) > 1:
            yield f"{names} were joined to {response_id}, though the user may not interrupt one of them"
        if len({asked.wanted.get("priority", 0) for _, asked in group}) > 1:
            yield f"{names} were joined to {response_id}, though one is more urgent than another"
        if sum(asked.is_question for _, asked in group) > 1:
            yield f"{names} were joined to {response_id}: so many questions, and one answer"


def asked_as_wanted(facts: Facts) -> Iterator[str]:
    """I7: the server is asked for just what the app wants."""
    for reply, asked, response, request in _answers(facts):
        given: dict[str, Any] = request.options
        wanted = asked.wanted
        metadata: dict[str, str] = given.get("metadata") or {}
        pairs = {
            "instructions": (given.get("instructions"), wanted.get("instructions")),
            "output": (given.get("output_modalities"), [wanted["output"]] if wanted.get("output") else None),
            "max_output_tokens": (given.get("max_output_tokens"), wanted.get("max_output_tokens")),
            "input": (_texts(given.get("input")), [item.text for item in wanted.get("input") or ()]),
            "out_of_band": (given.get("conversation") == "none", bool(wanted.get("out_of_band"))),
            "metadata": (metadata, {**metadata, **wanted.get("metadata", {})}),
        }
        for name, (theirs, ours) in pairs.items():
            if theirs != ours:
                yield f"{reply.id} was to have {name} {ours!r}, but the server was asked for {theirs!r}"
        if response.out_of_band != bool(wanted.get("out_of_band")):
            yield f"{reply.id} was answered by {response.id}, which is{' ' if response.out_of_band else ' not '}beside"


def _texts(items: list[dict[str, Any]] | None) -> list[str]:
    return [part["text"] for item in items or () for part in item["content"]]


def no_request_outlives_its_time(facts: Facts) -> Iterator[str]:
    """I10: what is not started by the time that the app allowed for it fails then, and nothing else fails for that."""
    if len(facts.stories) > 1:
        return
    started = {wait.reply_id: wait for wait in facts.evidence.waits if wait.what == "started"}
    for reply, asked in _asked(facts):
        timeout, wait = asked.wanted.get("timeout"), started.get(reply.id)
        if wait is None or wait.at is None:
            continue
        due = math.inf if timeout is None else asked.at + timeout
        if wait.at > due + facts.evidence.moment:
            yield f"{reply.id} was to be started by {due:.3f} s, and {wait.at:.3f} s was told what became of it"
        if (
            reply.failure
            and _TOO_LATE in reply.failure
            and (wait.failure is None or abs(wait.at - due) > facts.evidence.moment)
        ):
            yield f"{reply.id} failed at {wait.at:.3f} s ({reply.failure}), with its time ending at {due:.3f} s"
        ends = [at for at in (facts.evidence.left_at, facts.evidence.device_lost_at) if at is not None]
        wanted_so = reply.id in facts.evidence.stopped or wait.at >= min(ends, default=math.inf)
        if reply.failure and _GIVEN_UP in reply.failure and not wanted_so:
            yield f"{reply.id} was given up at {wait.at:.3f} s, and nobody had wanted that"


# --------------------------------------------------------------------------------------- what leaves nothing behind


def unwanted_leaves_nothing(facts: Facts) -> Iterator[str]:
    """I7: what the server made of a request that was given up is not heard, not run, and not kept."""
    if not (facts.connection.open and facts.evidence.settled):
        return
    wanted = {reply.response_id for reply in facts.evidence.replies}
    by_app = {reply.id for reply in facts.evidence.replies}
    begun_for = _begun_for(facts)
    evidence = facts.evidence
    if evidence.tools or evidence.delegate or not (evidence.policy and evidence.policy.at_once):
        # Requests of the session's own may have joined it, and are wanted still.
        by_app -= {reply.id for reply, asked in _asked(facts) if _is_like_any_other(asked)}
    for response in facts.story.responses.values():
        asked_by_app = begun_for.get(response.id, "").partition(" ")[0] in by_app
        if asked_by_app and response.id not in wanted:
            for item_id in response.items:
                told = facts.evidence.undecided | facts.evidence.removed
                if item_id not in told and not facts.gave_up(item_id):
                    yield from _stands(facts, item_id, f"{response.id}, which nobody wanted any more")
            yield from _ran(facts, response, "which nobody wanted any more")


def _begun_for(facts: Facts) -> dict[str, str]:
    """By response id the request that the session says it answers."""
    return {
        event.event.response_id: event.id
        for event in facts.evidence.events
        if isinstance(event, Transition) and event.chart == RESPONSE.name and isinstance(event.event, Created)
    }


def beside_leaves_nothing(facts: Facts) -> Iterator[str]:
    """I7: a response out of band is no part of the conversation: not heard, not run, not kept, stopped by nobody."""
    beside = [each for story in facts.stories for each in story.responses.values() if each.out_of_band]
    theirs = {item_id for story in facts.stories for item_id in story.messages}
    for response in beside:
        for item_id in response.items - theirs:
            yield from _stands(facts, item_id, f"{response.id}, which is out of band")
        yield from _ran(facts, response, "which is out of band")
    ids = {response.id for response in beside}
    own = {response.id for story in facts.stories for response in story.responses.values()} - ids
    for event in facts.evidence.events:
        if isinstance(event, Interrupted) and (stopped := {*event.response_ids} & (ids - own)):
            yield f"{', '.join(sorted(stopped))} was interrupted at {event.at:.3f} s, though it is out of band"
    left_at = facts.evidence.left_at
    for reply, asked in _asked(facts):
        stopped_by_app = reply.id in facts.evidence.stopped or (left_at is not None and not facts.evidence.settled)
        stalled = reply.failure is not None
        if asked.wanted.get("out_of_band") and reply.interrupted and not (stopped_by_app or stalled):
            yield f"{reply.id} is out of band and was interrupted, though nobody had stopped it by its handle"


def _stands(facts: Facts, item_id: str, of: str) -> Iterator[str]:
    if item_id in facts.segments:
        yield f"{item_id} of {of}, was played"
    if item_id in facts.history:
        yield f"{item_id} of {of}, stands in the history"
    if item_id in facts.held and facts.connection.open:
        yield f"{item_id} of {of}, is held by the server"


def _ran(facts: Facts, response: WireResponse, why: str) -> Iterator[str]:
    for event in facts.evidence.events:
        if isinstance(event, FunctionCalled) and event.call_id in response.call_ids:
            yield f"function call {event.call_id} of {response.id} was run, {why}"


# ---------------------------------------------------------------------------------------------------- the handles


def every_wait_of_a_handle_ends(facts: Facts) -> Iterator[str]:
    """I10: whoever waits for a reply learns what became of it, at the latest when the session is over."""
    for wait in facts.evidence.waits:
        if wait.at is None:
            yield f"{wait.what}() of {wait.reply_id} is still waited for"


def handles_tell_the_truth(facts: Facts) -> Iterator[str]:
    """I7: a handle says that a reply was begun, heard and done when it was, and nothing else."""
    replies = {reply.id: reply for reply in facts.evidence.replies}
    for wait in facts.evidence.waits:
        reply = replies[wait.reply_id]
        if wait.at is None:
            continue
        if wait.failure is not None and reply.failure is None:
            yield f"{wait.what}() of {reply.id} raised {wait.failure!r}, but it did not fail"
        if wait.what == "done" and wait.failure is None and reply.failure is not None:
            yield f"done() of {reply.id} raised nothing, but it failed: {reply.failure}"
        if wait.failure is None and wait.what == "done":
            if wait.told != [item.id for item in reply.messages]:
                yield f"done() of {reply.id} told {wait.told}, but it has {[item.id for item in reply.messages]}"
            yield from _what_was_heard(facts, reply)
        elif wait.failure is None and wait.what == "heard" and len(facts.stories) == 1:
            yield from _when_it_was_heard(facts, reply, at=wait.at, heard=bool(wait.told))


def _what_was_heard(facts: Facts, reply: Reply) -> Iterator[str]:
    """Of a reply that was not broken off all is in its last response."""
    response = facts.story.responses.get(reply.response_id or "")
    if response is None or len(facts.stories) > 1 or not facts.evidence.settled:
        return
    expected = [item_id for item_id in facts.said if facts.messages[item_id].response_id == response.id]
    told = [item.id for item in reply.messages if not facts.may_be_gone(item.id)]
    if sorted(told) != sorted(each for each in expected if not facts.may_be_gone(each)):
        yield f"{reply.id} has the messages {told}, but of {response.id} the history has {expected}"
    arrived = response.done_at is not None and response.status == "completed" and response.id not in facts.problems
    if arrived and reply.status == "completed" and [item.id for item in reply.output] != response.output:
        ours = [item.id for item in reply.output]
        yield f"{reply.id} has the output {ours}, but that of {response.id} was {response.output}"


def _when_it_was_heard(facts: Facts, reply: Reply, *, at: float, heard: bool) -> Iterator[str]:
    of_it = {item.id for item in facts.messages.values() if item.response_id == reply.response_id}
    starts = [
        told_at
        for segment in facts.evidence.segments
        if segment.message_id in of_it
        for told_at, report in segment.told
        if report is facts.told_start(segment)
    ]
    shown = any(facts.messages[item_id].only_shown for item_id in of_it)
    said = of_it & facts.said.keys()
    if heard and not starts and not shown:
        yield f"heard() of {reply.id} came true at {at:.3f} s, but nothing of it was heard"
    elif not heard and starts and said:
        yield f"heard() of {reply.id} said no, but it was heard from {min(starts):.3f} s on"
    elif heard and starts and at < min(starts) - facts.evidence.moment and not shown:
        yield f"heard() of {reply.id} came true at {at:.3f} s, but it was heard from {min(starts):.3f} s on"
    response = facts.story.responses.get(reply.response_id or "")
    if (
        heard
        and starts
        and response
        and response.announced
        and facts.evidence.faultless
        and at > min(starts) + facts.evidence.moment
    ):
        yield f"heard() of {reply.id} came true only at {at:.3f} s, but it was heard from {min(starts):.3f} s on"


# ------------------------------------------------------------------------------------------------------ the agent


class _Seen(Struct):
    """What was told of the agent so far, and when it changed last."""

    state: str = "initializing"
    speaking: set[str] = field(default_factory=set[str])
    undecided: set[str] = field(default_factory=set[str])
    """Times that the user spoke of which it is not known what they are: what is heard may be held."""
    changed_at: float = 0.0

    def see(self, event: object, now: float) -> None:
        match event:
            case AgentStartedSpeaking():
                self.speaking.add(event.response_id)
            case AgentStoppedSpeaking():
                self.speaking.discard(event.response_id)
            case AgentStateChanged():
                self.state = event.state
            case Transition(chart=INTERRUPTION.name):
                (self.undecided.add if event.after in _UNDECIDED else self.undecided.discard)(event.id)
            case _:
                return
        self.changed_at = now


def the_agent_does_what_is_said(facts: Facts) -> Iterator[str]:
    """I4: it is said to speak while a response is heard and not held; each change is told once, the last is true."""
    seen, now = _Seen(), 0.0
    for event in facts.evidence.events:
        if isinstance(event, Transition):
            if event.at > seen.changed_at + facts.evidence.moment:
                yield from _says_so(facts, seen, now)
                seen.changed_at = math.inf
            now = max(now, event.at)
        elif isinstance(event, AgentStateChanged) and (event.before != seen.state or event.state == seen.state):
            yield f"the agent was {seen.state}, and {event} was told"
        seen.see(event, now)
    yield from _says_so(facts, seen, now)
    yield from _listens_in_the_end(facts)


def _listens_in_the_end(facts: Facts) -> Iterator[str]:
    evidence = facts.evidence
    if evidence.settled and evidence.left_at is not None:
        states = [each for each in evidence.events if isinstance(each, AgentStateChanged)]
        by_then = [each.state for each in states if each.at <= evidence.left_at + evidence.moment]
        last = [state for state in by_then if state != "closed"][-1:]
        if last not in ([], ["listening"]):
            yield f"all was quiet, but the agent was {last[0]}"


def _says_so(facts: Facts, seen: _Seen, at: float) -> Iterator[str]:
    pauses = facts.evidence.pauses
    held = pauses is None or [paused for then, paused in pauses if then <= at + facts.evidence.moment][-1:] == [True]
    if seen.undecided or seen.state in AGENT.group("initializing", "closed") or (held and seen.state != "speaking"):
        return
    if (seen.state == "speaking") != bool(seen.speaking):
        heard = ", ".join(sorted(seen.speaking)) or "nothing"
        yield f"at {at:.3f} s the agent was {seen.state}, and {heard} was being heard"


def the_agent_thinks_while_it_generates(facts: Facts) -> Iterator[str]:
    """I4: while the server makes a response the agent does not just listen."""
    policy = facts.evidence.policy
    if len(facts.stories) > 1 or not facts.evidence.faultless or not facts.connection.open:
        return
    if policy is None or not policy.at_once:  # else what is heard may be held
        return
    states = [(each.at, each.state) for each in facts.evidence.events if isinstance(each, AgentStateChanged)]
    for response in facts.story.responses.values():
        known_at, done_at = response.created_at + facts.evidence.delay + facts.evidence.moment, response.done_at
        if response.out_of_band or done_at is None:
            continue
        for (since, state), (until, _) in pairwise([*states, (math.inf, "")]):
            begins, ends = max(since, known_at), min(until, done_at - facts.evidence.moment)
            held = facts.evidence.pauses is None or any(at <= ends for at, paused in facts.evidence.pauses if paused)
            if begins < ends and state == "listening" and not held:
                yield f"{response.id} was being made at {begins:.3f} s, but the agent was listening"


def interruptions_are_told(facts: Facts) -> Iterator[str]:
    """I4: the app is told of each interruption, by whom it was, and of nothing that was not there."""
    events = facts.evidence.events
    told = [event for event in events if isinstance(event, Interrupted)]
    known = {response_id for story in facts.stories for response_id in story.responses}
    known |= {message.response_id for message in facts.messages.values()}
    spoke = [event.at for event in events if isinstance(event, UserStartedSpeaking)]
    for event in told:
        if strange := {*event.response_ids} - known:
            yield f"{', '.join(sorted(strange))} was interrupted, which the server had not begun"
        since = [at for at in spoke if at <= event.at + facts.evidence.moment]
        asked_for = [at for at in facts.evidence.interruptions if abs(at - event.at) <= facts.evidence.moment]
        if event.by == "user" and not since:
            yield f"the user interrupted at {event.at:.3f} s, who had not spoken"
        if event.by == "app" and not asked_for and facts.evidence.left_at is not None:
            yield f"the app interrupted at {event.at:.3f} s, which it did not want"


def the_user_interrupts_as_the_policy_says(facts: Facts) -> Iterator[str]:
    """I4: by speech that is long enough, by so many words, at once, or never.

    Audio may come faster than it was spoken, after a jam or out of a file: then the server's word tells how long.
    """
    if (policy := _one_policy(facts)) is None:
        return
    spoken = [at for at, _, text in facts.story.words if len(text.split()) >= policy.min_words]
    for event in facts.evidence.events:
        if not isinstance(event, Interrupted) or event.by != "user":
            continue
        since = event.at - policy.min_speech + facts.evidence.moment
        long = any(at <= event.at and length >= policy.min_speech for at, length in facts.story.spoken)
        if not policy.enabled:
            yield f"the user interrupted at {event.at:.3f} s, which nobody may"
        elif policy.min_words and not any(at <= event.at for at in spoken):
            yield f"the user interrupted at {event.at:.3f} s, without {policy.min_words} words"
        elif not long and not any(at <= since for at in facts.story.speech_started):
            yield f"the user interrupted at {event.at:.3f} s, and had not spoken for {policy.min_speech} s"


def words_interrupt(facts: Facts) -> Iterator[str]:
    """I4: what is being heard stops as soon as the user's words are known, if it is words that count."""
    policy, delay, moment = _one_policy(facts), facts.evidence.delay, facts.evidence.moment
    if policy is None or not (policy.enabled and policy.min_words) or policy.min_speech:
        return
    for at, item_id, text in facts.story.words:
        began = facts.story.began.get(item_id, -math.inf)
        in_time = at < facts.connection.heard_until and at + delay - began <= policy.decide
        if len(text.split()) < policy.min_words or not in_time:
            continue
        for segment in facts.evidence.segments:
            if segment.began_at < began - moment and _over_at(facts, segment) > at + 2 * delay + moment:
                yield f"{segment.message_id} was heard on after {at + delay:.3f} s, though the user had said {text!r}"


def _one_policy(facts: Facts) -> Interruption | None:
    """The session's, if no other could count, and all that happened is known."""
    own = {asked.wanted.get("interruption") for asked in facts.evidence.asked.values()} - {None}
    return None if own or len(facts.stories) > 1 or not facts.connection.open else facts.evidence.policy


def _over_at(facts: Facts, segment: Segment) -> float:
    end = facts.told_end(segment)
    stopped_at = math.inf if segment.cleared_at is None else segment.cleared_at
    return min(end.at if end else math.inf, stopped_at, facts.ended_at.get(segment.message_id, math.inf))


def never_means_never(facts: Facts) -> Iterator[str]:
    """I4: what is being heard, and may not be interrupted, is stopped by nobody else than the app."""
    evidence = facts.evidence
    if len(facts.stories) > 1 or not facts.connection.open or evidence.left_at is None:
        return
    ends = [at for at in (evidence.left_at, evidence.device_lost_at) if at is not None]
    times = [*evidence.interruptions, *evidence.stopped.values()]
    policies = {
        reply.response_id: asked.wanted.get("interruption") or evidence.policy
        for reply, asked in _asked(facts)
        if reply.failure is None
    }
    for segment in evidence.segments:
        message, at = facts.messages.get(segment.message_id), segment.cleared_at
        policy = policies.get(message.response_id) if message else None
        if at is None or policy is None or policy.enabled or not facts.certain(segment):
            continue
        if at < min(ends) - evidence.moment and not any(abs(at - then) <= evidence.moment for then in times):
            yield f"{segment.message_id} was stopped at {at:.3f} s, which nobody may, and the app did not want it"
