"""What is checked of requests, tools, delegated work and interruptions can fail: the evidence of a sound conversation
passes, and each falsification of it is found.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from rtactors.interruption import NEVER, Interruption
from rtactors.session_events import AgentStateChanged, Interrupted, Transition
from rtactors.testing.evidence import Evidence
from rtactors.testing.invariants import InvariantBroken, check_invariants
from rtactors.testing.simulation import Plan, simulate
from rtactors.testing.simulation.plan import Agent, Function, Line, Policy, Reply, Step, Wish
from statecharts.response import Request
from tests.testing.test_invariants import changed, events, in_log

PLAN = Plan(
    steps=(
        Step(),
        Step(wish=Wish(priority=1, timeout_ms=60_000)),
        Step(do="generate_reply", wish=Wish(special=True, beside=True)),
        Step(do="generate_reply"),
        Step(do="generate_reply"),
        Step(do="wait_until_quiet", wait_ms=5000),
        Step(),
        Step(do="speak", wait_ms=500, which=1),
        Step(do="hush", wait_ms=200),
    ),
    replies=(
        Reply(lines=(Line(words=9), Line(kind="call", calls=1))),
        Reply(lines=(Line(words=2),)),
        Reply(lines=(Line(kind="delegate"),)),
    ),
    tools=(Function(ms=300),),
    agent=Agent(ms=300, progress=1),
    interruption=Policy(min_words=1),
)


@pytest.fixture(scope="module")
def sound() -> Evidence:
    outcome = simulate(PLAN)
    assert not outcome.violations
    assert outcome.evidence
    return outcome.evidence


def test_it_is_about_all_of_it(sound: Evidence) -> None:
    assert len(sound.runs) == len(sound.works) == 1
    assert len({reply.response_id for reply in sound.replies}) < len(sound.replies)
    assert [event.by for event in sound.events if isinstance(event, Interrupted)] == ["user"]


def asked_otherwise(evidence: Evidence, number: int, **wanted: Any) -> Evidence:
    reply = evidence.replies[number]
    asked = evidence.asked[reply.id]
    return replace(evidence, asked={**evidence.asked, reply.id: replace(asked, wanted={**asked.wanted, **wanted})})


def asked_at(evidence: Evidence, number: int, at: float) -> Evidence:
    reply = evidence.replies[number]
    return replace(evidence, asked={**evidence.asked, reply.id: replace(evidence.asked[reply.id], at=at)})


def waited(evidence: Evidence, what: str, **fields: Any) -> Evidence:
    return replace(
        evidence, waits=tuple(replace(wait, **fields) if wait.what == what else wait for wait in evidence.waits)
    )


def ran(evidence: Evidence, **fields: Any) -> Evidence:
    return replace(evidence, runs=tuple(replace(run, **fields) for run in evidence.runs))


def worked(evidence: Evidence, **fields: Any) -> Evidence:
    return replace(evidence, works=tuple(replace(work, **fields) for work in evidence.works))


def asked_twice(evidence: Evidence) -> Evidence:
    """The first request was sent twice."""

    def change(log: list[Any]) -> None:
        first = next(index for index, record in enumerate(log) if record.type == "response.create")
        again = replace(log[first], event={**log[first].json, "event_id": "response-99"})
        log.insert(first, again)

    return in_log(evidence, change)


def requested_again(event: object) -> list[Transition]:
    """The same, by others."""
    if not isinstance(event, Transition) or not any(isinstance(effect, Request) for effect in event.effects):
        return []
    return [replace(event, id=f"rt_reply_{number}") for number in range(90, 95)]


FALSE: dict[str, tuple[str, Callable[[Evidence], Evidence], str]] = {
    "two at a time": ("I7", asked_twice, "not answered yet"),
    "not asked as wanted": ("I7", lambda e: asked_otherwise(e, 0, output="text"), "was to have output ['text']"),
    "other words": ("I7", lambda e: asked_otherwise(e, 2, instructions="Sing."), "was to have instructions 'Sing.'"),
    "joined, though special": ("I7", lambda e: asked_otherwise(e, 4, instructions="Sing."), "wants what the others"),
    "joined, though urgent": ("I7", lambda e: asked_otherwise(e, 4, priority=3), "more urgent than another"),
    "joined, though it may not be": (
        "I7",
        lambda e: asked_otherwise(e, 4, interruption=NEVER),
        "the user may not interrupt one of them",
    ),
    "not the most urgent": ("I7", lambda e: asked_otherwise(e, 3, priority=3), "was asked for before it"),
    "not the first": ("I7", lambda e: asked_at(asked_otherwise(e, 1, priority=0), 1, 0.3), "which came later"),
    "too late": ("I10", lambda e: asked_otherwise(e, 1, timeout=0.1), "was to be started by"),
    "still waited for": ("I10", lambda e: waited(e, "heard", at=None), "heard() of rt_reply_2 is still waited for"),
    "raised for nothing": ("I7", lambda e: waited(e, "done", failure="It rains."), "but it did not fail"),
    "heard too early": ("I7", lambda e: waited(e, "heard", at=0.0, told=True), "came true at 0.000 s"),
    "heard too late": ("I7", lambda e: waited(e, "heard", at=99.0), "came true only at"),
    "never heard": ("I7", lambda e: waited(e, "heard", told=False), "said no"),
    "done with something else": ("I7", lambda e: waited(e, "done", told=["item_9"]), "told ['item_9']"),
    "another state": ("I4", lambda e: changed(e, AgentStateChanged, before="closed"), "the agent was initializing"),
    "speaks of nothing": (
        "I4",
        lambda e: events(e, lambda x: [] if isinstance(x, AgentStateChanged) and x.state == "listening" else [x]),
        "and nothing was being heard",
    ),
    "interrupted by the app": ("I4", lambda e: changed(e, Interrupted, by="app"), "which it did not want"),
    "interrupted out of nothing": (
        "I4",
        lambda e: changed(e, Interrupted, response_ids=("resp_9",)),
        "which the server had not begun",
    ),
    "interrupted without words": (
        "I4",
        lambda e: replace(e, policy=replace(e.policy, min_words=5) if e.policy else None),
        "without 5 words",
    ),
    "interrupted, though nobody may": ("I4", lambda e: replace(e, policy=NEVER), "which nobody may"),
    "run twice": ("I8", lambda e: replace(e, runs=e.runs * 2), "was run 2 times"),
    "run for nothing": ("I8", lambda e: ran(e, call_id="call_9"), "which was never handed over"),
    "run with something else": ("I8", lambda e: ran(e, given="nothing"), "but tool_0('nothing') was run"),
    "runs for too long": ("I8", lambda e: ran(e, at=-99.0), "with 30.0 s"),
    "still runs": ("I8", lambda e: ran(e, ended_at=None), "still runs for call"),
    "stopped for nothing": ("I8", lambda e: ran(e, end="cancelled"), "for no reason that there was"),
    "gave something else": ("I8", lambda e: ran(e, output="nothing"), "gave 'nothing'"),
    "no output": (
        "I8",
        lambda e: replace(e, history=tuple(item for item in e.history if item.kind != "function_call_output")),
        "has 0 outputs in the history",
    ),
    "asked to go on for nothing": (
        "I8",
        lambda e: events(e, lambda x: [x, *requested_again(x)]),
        "the model was asked to go on",
    ),
    "the agent asked for something else": ("I8", lambda e: worked(e, inputs=["Sing."]), "the agent was asked 'Sing.'"),
    "the agent never asked": ("I8", lambda e: replace(e, works=()), "the agent never had it"),
    "two agents": ("I8", lambda e: replace(e, works=e.works * 2), "while it worked on"),
    "the agent still works": ("I8", lambda e: worked(e, ended_at=None), "still works on"),
    "the agent says more": ("I8", lambda e: worked(e, progress=["a word"]), "the agent said 'a word'"),
    "nobody said so": ("I8", lambda e: worked(e, answer="another"), "which nobody said"),
}


@pytest.mark.parametrize("what", FALSE)
def test_falsified_evidence_is_found(sound: Evidence, what: str) -> None:
    invariant, falsify, words = FALSE[what]
    with pytest.raises(InvariantBroken) as broken:
        check_invariants(falsify(sound))
    about = [violation.sentence for violation in broken.value.violations if violation.invariant == invariant]
    assert any(words in sentence for sentence in about), str(broken.value)


def test_speech_that_came_at_once_is_as_long_as_the_server_says() -> None:
    """It tells the begin and the end of 600 ms in the same moment, of which half may have been padding."""
    policy = Policy(min_speech_ms=300, min_words=1, decide_ms=2000)
    outcome = simulate(Plan(steps=(Step(), Step(do="speak", which=1)), interruption=policy))
    assert not outcome.violations
    assert outcome.evidence
    (interrupted,) = (event for event in outcome.evidence.events if isinstance(event, Interrupted))
    assert (interrupted.by, interrupted.at < policy.min_speech_ms / 1000) == ("user", True)
    stricter = replace(outcome.evidence, policy=Interruption(min_speech=0.31, min_words=1))
    with pytest.raises(InvariantBroken, match=r"had not spoken for 0\.31 s"):
        check_invariants(stricter)
