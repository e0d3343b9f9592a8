"""How a session lets functions run that the model calls: what else must hold of its tools.

These are checks of `rtactors.testing.invariants`, as those of `rtactors.testing.conduct` are, all under I8: that a
function runs once at the most, for a call that is complete and as it was written, no longer than it may, and not beyond
the session; that what it gave is what the model is told, once; and that the model is asked to go on when the last of
them is in, once.
"""

import json
from collections.abc import Iterator

from rtactors.session_events import FunctionCalled, Interrupted, Transition
from rtactors.testing import delegating
from rtactors.testing.evidence import Facts, Run
from rtactors.testing.wire_story import Operation
from statecharts.response import RESPONSE, Request

_SAYS = {
    "returned": "",
    "raised": "Error: LookupError: ",
    "cancelled": ("Cancelled: ", "Error: the function took longer"),
}
"""How what the model is told begins, by how the function ended."""


def _called(facts: Facts) -> dict[str, FunctionCalled]:
    """The calls that were handed over, but for those of the app's own function."""
    calls = (event for event in facts.evidence.events if isinstance(event, FunctionCalled))
    if not facts.evidence.tools:
        return {}
    others = facts.evidence.declared | delegating.functions(facts)
    return {each.call_id: each for each in calls if each.name not in others}


def tools_run_once(facts: Facts) -> Iterator[str]:
    """A function is run for a complete call, once, with what the model wrote; for no other reason."""
    called = _called(facts)
    ran = [run.call_id for run in facts.evidence.runs]
    for run in facts.evidence.runs:
        event = called.get(run.call_id)
        if ran.count(run.call_id) > 1:
            yield f"function {run.name} was run {ran.count(run.call_id)} times for call {run.call_id}"
        if event is None:
            yield f"function {run.name} was run for call {run.call_id}, which was never handed over"
        elif (run.name, run.given) != (event.name, _given(event.arguments)):
            yield f"call {run.call_id} was {event.name}({event.arguments}), but {run.name}({run.given!r}) was run"
        if not any(story.begun_calls.get(run.call_id) for story in facts.stories):
            yield f"function {run.name} was run for call {run.call_id}, which was never completed"


def _given(arguments: str) -> str | None:
    try:
        what = json.loads(arguments)["what"]
    except (ValueError, KeyError):
        return None
    return what if isinstance(what, str) else None


def tools_end_in_time(facts: Facts) -> Iterator[str]:
    """A function runs to its end, unless that takes too long, an interruption cancels it, or the session ends."""
    evidence = facts.evidence
    interrupted = [event.at for event in evidence.events if isinstance(event, Interrupted)]
    ends = [at for at in (evidence.left_at, evidence.ended_at) if at is not None]
    for run in evidence.runs:
        tool = evidence.tools[run.name]
        if run.ended_at is None:
            yield f"function {run.name} still runs for call {run.call_id}, though the session is over"
            continue
        late = run.at + tool.timeout
        leaving = any(at <= late + evidence.moment and run.ended_at <= at + evidence.deadlines.close for at in ends)
        if run.ended_at > late + evidence.moment and not leaving:
            yield f"function {run.name} ran from {run.at:.3f} s to {run.ended_at:.3f} s, with {tool.timeout} s"
        between = [at for at in interrupted if run.at + evidence.moment < at < run.ended_at - evidence.moment]
        if tool.cancels and between:
            yield f"function {run.name} was not cancelled when it was interrupted at {between[0]:.3f} s"
        reasons = [late, *(interrupted if tool.cancels else [])]
        left = any(run.ended_at >= at - evidence.moment for at in ends)
        if run.end == "cancelled" and not left and not any(abs(run.ended_at - at) <= evidence.moment for at in reasons):
            yield f"function {run.name} was stopped at {run.ended_at:.3f} s, for no reason that there was"


def the_model_is_told_what_they_gave(facts: Facts) -> Iterator[str]:
    """Each call that was handed over has one output in the record, which says what became of it."""
    if not (facts.connection.open and facts.evidence.settled):
        return
    runs = {run.call_id: run for run in facts.evidence.runs}
    held = [item.call_id for item in facts.connection.items if item.type == "function_call_output"]
    calls = {item.call_id for item in facts.evidence.history if item.kind == "function_call"}
    never_held = any(facts.never_held(item_id) for item_id in facts.evidence.removed)  # may be such an output
    for call_id, event in _called(facts).items():
        told = facts.outputs.get(call_id, [])
        if held.count(call_id) > 1:
            yield f"the server holds {held.count(call_id)} outputs of call {call_id}"
        if (
            call_id not in calls
            or refused(facts, call_id)
            or any(_is_output(facts, call_id, each) for each in facts.evidence.removed)
        ):
            continue
        if len(told) != 1 and not (never_held and not told):
            yield f"call {call_id} of {event.name} has {len(told)} outputs in the history, not one"
        for output in told:
            yield from _is_so(facts, event, runs.get(call_id), output)


def _is_output(facts: Facts, call_id: str, item_id: str) -> bool:
    return any(create.item_id == item_id and create.call_id == call_id for create in _outputs(facts))


def _outputs(facts: Facts) -> list[Operation]:
    return [create for create in facts.creates if create.call_id]


def refused(facts: Facts, call_id: str) -> bool:
    """Whether the server would not take an output of this call: then there is none, and the app knows."""
    return any(create.refused for create in _outputs(facts) if create.call_id == call_id)


def _is_so(facts: Facts, event: FunctionCalled, run: Run | None, output: str) -> Iterator[str]:
    tool = facts.evidence.tools.get(event.name)
    if run is None:
        if tool and _given(event.arguments) is not None and not output.startswith(("Cancelled: ", "Error: too much")):
            yield f"call {event.call_id} of {event.name} was not run, and the model was told {output!r}"
        if (tool is None or _given(event.arguments) is None) and not output.startswith(("Error: ", "Cancelled: ")):
            yield f"call {event.call_id} of {event.name} could not be run, and the model was told {output!r}"
        return
    if run.end == "returned" and output != run.output:
        yield f"call {event.call_id} of {event.name} gave {run.output!r}, and the model was told {output!r}"
    elif run.end and not output.startswith(_SAYS[run.end]):
        yield f"function {event.name} was {run.end} for call {event.call_id}, and the model was told {output!r}"


def the_model_is_asked_to_go_on_once(facts: Facts) -> Iterator[str]:
    """For all calls of a response once, when their outputs are in; not for what was cancelled, or needs no word."""
    if not (facts.evidence.tools or facts.evidence.delegate):
        return
    by_app = {reply.id for reply in facts.evidence.replies}
    asked = {
        event.id.partition(" ")[0]
        for event in facts.evidence.events
        if isinstance(event, Transition) and event.chart == RESPONSE.name
        if any(isinstance(effect, Request) for effect in event.effects)
    }
    asked = {each for each in asked - by_app if each.startswith("rt_reply")}
    rounds = _rounds_to_speak_of(facts)
    most = len(_rounds_with_a_word(facts)) + sum(run.says for run in facts.evidence.runs)
    most += delegating.most_replies(facts)
    if len(asked) > most:
        yield f"the model was asked to go on {len(asked)} times ({', '.join(sorted(asked))}), with {most} reasons"
    if not (facts.connection.open and facts.evidence.settled) or len(facts.stories) > 1:
        return
    for response_id, last in rounds.items():
        goes_on = [each for each in facts.story.requests.values() if each.at >= last.at - facts.evidence.moment]
        known = last.at - facts.evidence.round_trip
        by_itself = [each for each in facts.story.responses.values() if each.created_at >= known]
        if not goes_on and not by_itself and not _one_failed(facts, by_app):
            yield f"the outputs of {response_id} were in at {last.at:.3f} s, and nobody asked the model to go on"


def _one_failed(facts: Facts, by_app: set[str]) -> bool:
    """Whether a request that was not the app's failed."""
    return any(
        event.id.startswith("rt_reply") and event.id not in by_app and event.after in {"abandoned", "settled"}
        for event in facts.evidence.events
        if isinstance(event, Transition) and event.chart == RESPONSE.name and event.before in {"waiting", "requested"}
    )


def _rounds_with_a_word(facts: Facts) -> set[str]:
    """Responses with a call that the model may be asked to speak of: also of one whose output the app took out."""
    cancelled = {create.call_id for create in _outputs(facts) if create.output.startswith("Cancelled: ")}
    silent = {name for name, tool in facts.evidence.tools.items() if not tool.replies}
    called = _called(facts).values()
    return {each.response_id for each in called if each.call_id not in cancelled and each.name not in silent}


def _rounds_to_speak_of(facts: Facts) -> dict[str, Operation]:
    """By response the last output of its calls, if one of them is something to speak of."""
    called = _called(facts)
    rounds: dict[str, Operation] = {}
    worth: set[str] = set()
    for create in _outputs(facts):
        event = called.get(create.call_id)
        if event is None or create.item_id in facts.evidence.removed:
            continue
        tool = facts.evidence.tools.get(event.name)
        rounds[event.response_id] = create
        if not create.output.startswith("Cancelled: ") and (tool is None or tool.replies):
            worth.add(event.response_id)
    return {response_id: last for response_id, last in rounds.items() if response_id in worth}


CHECKS = (
    tools_run_once,
    tools_end_in_time,
    the_model_is_told_what_they_gave,
    the_model_is_asked_to_go_on_once,
)
