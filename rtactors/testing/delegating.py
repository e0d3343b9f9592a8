"""How a session hands work to its delegate: what else must hold of requests, of the agent, and of its answers.

These are checks of `rtactors.testing.invariants`, as those of `rtactors.testing.conduct` are, all under I8: that each
request reaches the agent once, one agent at a time; that each call by which it came has one output; that what the agent
says reaches the model once; and that the agent does not outlive the session.
"""

from collections.abc import Iterator
from itertools import pairwise

from rtactors.delegation.delegate import input_of
from rtactors.delegation.telling import BACKEND, FAILED, FINISHED, NOTHING, STEERED, STOPPED
from rtactors.session_events import FunctionCalled
from rtactors.testing.evidence import Facts

_PLAIN = {STEERED, NOTHING, FINISHED}


def functions(facts: Facts) -> frozenset[str]:
    """Names of those that are the delegate's."""
    delegate = facts.evidence.delegate
    return frozenset(each.name for each in delegate.functions) if delegate else frozenset()


def most_replies(facts: Facts) -> int:
    """How often the model may be asked to speak of what the agent did."""
    delegate = facts.evidence.delegate
    if delegate is None:
        return 0
    told = sum(len(work.progress) + bool(work.answer) for work in facts.evidence.works)
    return len(_requests(facts)) + (told if delegate.speak_progress else 0)


def _requests(facts: Facts) -> dict[str, str]:
    """What the model asked of the agent, by call id."""
    name = facts.evidence.delegate.name if facts.evidence.delegate else ""
    calls = [event for event in facts.evidence.events if isinstance(event, FunctionCalled)]
    return {event.call_id: input_of(event.arguments) for event in calls if event.name == name}


def requests_reach_the_agent_once(facts: Facts) -> Iterator[str]:
    """Each as it was written, and no other."""
    if facts.evidence.delegate is None:
        return
    asked = _requests(facts)
    routed = [each for work in facts.evidence.works for each in zip(work.request_ids, work.inputs, strict=True)]
    ids = [request_id for request_id, _ in routed]
    for request_id, words in routed:
        if request_id not in asked:
            yield f"the agent was asked {words!r} for {request_id}, which the model never asked"
        elif asked[request_id] and words != asked[request_id]:
            yield f"the agent was asked {words!r} for {request_id}, which was {asked[request_id]!r}"
    for request_id, words in asked.items():
        if ids.count(request_id) > 1:
            yield f"the agent was asked {ids.count(request_id)} times for {request_id}"
        failed = any(work.end == "raised" for work in facts.evidence.works)  # with it what it had not read
        if not ids.count(request_id) and words and facts.evidence.settled and not failed:
            yield f"the model asked for {words!r} by {request_id}, and the agent never had it"


def one_agent_works_at_a_time(facts: Facts) -> Iterator[str]:
    """And none beyond the session."""
    for before, after in pairwise(facts.evidence.works):
        if before.ended_at is None or before.ended_at > after.at:
            yield f"the agent was run for {after.request_ids[0]} while it worked on {before.request_ids[0]}"
    for work in facts.evidence.works:
        if work.ended_at is None:
            yield f"the agent still works on {work.request_ids[0]}, though the session is over"
        elif work.end == "cancelled" and work.ended_at < (facts.evidence.left_at or 0) - facts.evidence.moment:
            yield f"the agent was stopped at {work.ended_at:.3f} s, and nobody had wanted that"


def each_request_has_one_answer(facts: Facts) -> Iterator[str]:
    """Each call that asked, and each that asked for silence, has one output; the last word of a work is one of them."""
    if facts.evidence.delegate is None or not (facts.evidence.settled and facts.connection.open):
        return
    stand = {item.call_id for item in facts.evidence.history if item.kind == "function_call"}
    answers = {work.answer for work in facts.evidence.works}
    taken = facts.evidence.removed | facts.evidence.undecided
    calls = {event.call_id: event.name for event in facts.evidence.events if isinstance(event, FunctionCalled)}
    refused = {create.call_id for create in facts.creates if create.refused}
    for call_id, name in calls.items():
        if name not in functions(facts) or call_id not in stand - refused or (taken and call_id not in facts.outputs):
            continue  # the app took it out
        told = facts.outputs.get(call_id, [])
        if len(told) != 1:
            yield f"call {call_id} of {name} has {len(told)} outputs in the history, not one"
        for output in told:
            known = output in _PLAIN | answers or output.startswith((FAILED, STOPPED))
            if name == facts.evidence.delegate.silence and output:
                yield f"call {call_id} asked for silence, and the model was told {output!r}"
            elif name != facts.evidence.delegate.silence and not known:
                yield f"call {call_id} was answered with {output!r}, which nobody said"


def what_the_agent_says_is_told_once(facts: Facts) -> Iterator[str]:
    """Its progress as messages, its last word as an output; a word before that, as a message, too."""
    if facts.evidence.delegate is None or not (facts.evidence.settled and facts.connection.open):
        return
    sent = [create.output for create in facts.creates if create.call_id]
    refused = any(create.refused for create in facts.creates)
    texts = [each.heard_text for each in facts.evidence.history if each.role == "user"]
    outputs = [output for given in facts.outputs.values() for output in given]
    for work in facts.evidence.works:
        for said in [*work.progress, *([work.answer] if work.answer else [])]:
            times = texts.count(BACKEND + said) + outputs.count(said)
            gone = facts.evidence.removed | facts.evidence.undecided
            if times > 1 or (times == 0 and not gone and said not in sent and not refused):
                yield f"the agent said {said!r}, and the model was told that {times} times"


CHECKS = (
    requests_reach_the_agent_once,
    one_agent_works_at_a_time,
    each_request_has_one_answer,
    what_the_agent_says_is_told_once,
)
