"""Simulated conversations: all seeds pass, Hypothesis finds nothing, and the simulation itself is what it says."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from rtactors.session import Session
from rtactors.session_events import FunctionCalled
from rtactors.testing.replay import replay
from rtactors.testing.simulation import Outcome, Plan, plan_of, read_plan, simulate
from rtactors.testing.simulation.__main__ import main
from rtactors.testing.simulation.campaign import campaign
from rtactors.testing.simulation.plan import Break, Device, Fault, Line, Network, Reply, Step
from rtactors.testing.simulation.shrink import kind, shrink
from rtactors.testing.simulation.strategies import plans
from tests.testing.mutants import MUTANTS


@pytest.mark.timeout(0)  # as many as were asked for
def test_schedules(schedules: range) -> None:
    """`pytest --schedules 20000`; a seed that fails is told with the shortest conversation that fails likewise."""
    figures = campaign(schedules)
    told = "\n\n".join(f"{failure}\n\nas JSON: {failure.plan.to_json()}" for failure in figures.failures)
    assert not figures.failures, told
    assert figures.conversations == len(schedules)


# Derandomized, so that the suite gives the same each time; seeds are for looking further.
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plans())
def test_any_plan(plan: Plan) -> None:
    outcome = simulate(plan)
    assert not outcome.violations, f"{outcome.violations}\n{outcome.story}"


def test_the_plainest_plan_is_a_plain_conversation() -> None:
    outcome = simulate(Plan())
    assert not outcome.violations
    assert outcome.evidence
    (item,) = (item for item in outcome.evidence.history if item.role == "assistant")
    assert (item.heard_text, item.interrupted, item.heard_ms) == ("alpha foxtrot kilo.", False, 19 * 60)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_plan_gives_the_same_conversation(seed: int) -> None:
    plan = plan_of(seed)
    assert simulate(plan).story.lines() == simulate(plan).story.lines()


def test_plans_are_the_same_when_read_again() -> None:
    plans = [plan_of(seed) for seed in range(200)]
    assert [read_plan(plan.to_json()) for plan in plans] == plans
    assert len(set(plans)) == len(plans)


def broken(patch: pytest.MonkeyPatch, name: str) -> Outcome:
    """A conversation in which a mutant was caught."""
    MUTANTS[name].apply(patch)
    outcome = simulate(plan_of(MUTANTS[name].seed))
    assert outcome.failed
    return outcome


def test_a_failing_plan_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = broken(monkeypatch, "interrupted_is_not_told")
    small = shrink(outcome)
    assert {kind(each) for each in small.violations} & {kind(each) for each in outcome.violations}
    assert len(small.plan.steps) == 2
    assert len(small.plan.replies) <= 1
    assert not small.plan.faults
    assert simulate(small.plan).violations == small.violations


def test_a_failing_seed_is_told_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = MUTANTS["the_ledger_is_written_twice"].seed
    broken(monkeypatch, "the_ledger_is_written_twice")
    assert main(["--first", str(seed), "--seeds", "1", "--output", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"seed {seed}:\n  I3: " in told
    assert "wire     <- response.create" in told
    assert "device   tells Finished" in told
    plan, recording = tmp_path / f"simulation-{seed}.json", tmp_path / f"simulation-{seed}.jsonl"
    assert f"--plan {plan}" in told
    assert f"rtactors replay {recording}" in told
    replay(recording)
    assert main(["--plan", str(plan)]) == 1
    assert "I3: " in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["--plan", str(plan)]) == 0


@pytest.mark.parametrize("seed", range(30))
def test_a_recording_of_a_simulated_conversation_can_be_replayed(seed: int, tmp_path: Path) -> None:
    """I12: what it was told gives the same again."""
    outcome = simulate(plan_of(seed), record=tmp_path / "call.jsonl")
    assert outcome.evidence
    assert tuple(replay(tmp_path / "call.jsonl")) == outcome.evidence.history


def test_an_app_of_ones_own() -> None:
    """It answers function calls; what it does is judged as what the plan's app does."""
    answered: list[str] = []

    async def agent(session: Session) -> None:
        await session.ask("Good morning.")
        async for event in session.events():
            if isinstance(event, FunctionCalled):
                answered.append(event.call_id)
                await session.answer_call(event.call_id, "42")
                await session.generate_reply()

    for seed in range(40):
        outcome = simulate(plan_of(seed), app=agent)
        assert not outcome.violations, f"seed {seed}: {outcome.violations}"
        asked = [step.do for step in outcome.plan.steps if step.do in {"ask", "interrupt", "pause"}]
        assert not outcome.evidence or not outcome.evidence.interruptions or not asked
    assert answered


def test_an_app_of_ones_own_that_fails_is_told() -> None:
    async def agent(_session: Session) -> None:
        raise LookupError("a defect of mine")

    (violation,) = simulate(Plan(), app=agent).violations
    assert "LookupError: a defect of mine" in violation.sentence


def test_a_campaign_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "60", "--first", "1000", "--processes", "2"]) == 0
    told = capsys.readouterr().out
    assert "conversations                         60" in told
    for what in ("messages full", "messages partial", "messages skipped", "provider: lost", "device: ", "network: "):
        assert what in told


# --------------------------------------------------------------------------------------------------- what is simulated

PLAYING = Step(do="wait_until_quiet")


@pytest.mark.parametrize("how", ["closed", "cut", "half_open", "expired", "no_quota"])
def test_a_connection_that_ends_is_noticed(how: str) -> None:
    """A dead line only by the keepalive."""
    plan = Plan(
        steps=(Step(), Step(do="wait_until_quiet", wait_ms=60_000)),
        network=Network(breaks=(Break(at_ms=5000, how=how),)),  # pyright: ignore[reportArgumentType]  one of them
    )
    outcome = simulate(plan)
    assert not outcome.violations
    states = (line for line in outcome.story.lines() if "ConnectionChanged" in line)
    lost = next(line for line in states if "state='connected'" not in line)
    assert float(lost.split()[0]) == pytest.approx(45 if how == "half_open" else 5, abs=0.1)


def test_a_slow_network_is_slow() -> None:
    outcome = simulate(Plan(network=Network(up_ms=150, down_ms=30)))
    assert not outcome.violations
    lines = outcome.story.lines()
    asked = next(float(line.split()[0]) for line in lines if "requested by" in line)
    arrived = next(float(line.split()[0]) for line in lines if "<- response.create" in line)
    assert arrived - asked == pytest.approx(0.16, abs=0.002)  # and 10 ms until the server takes it


def test_a_mute_device_is_given_up() -> None:
    outcome = simulate(Plan(device=Device(mute="ends")))
    assert not outcome.violations
    assert outcome.evidence
    (item,) = (item for item in outcome.evidence.history if item.role == "assistant")
    assert not item.confirmed


def test_a_refused_question_fails_its_reply() -> None:
    outcome = simulate(Plan(faults=(Fault(what="refused", on="conversation.item.create"),)))
    assert not outcome.violations
    assert outcome.faults == (1,)
    assert outcome.evidence
    (reply,) = outcome.evidence.replies
    assert "its question was refused" in (reply.failure or "")


def test_a_model_that_halts() -> None:
    plan = Plan(replies=(Reply(lines=(Line(words=8, halt_ms=3000),)),))
    plain = Plan(replies=(Reply(lines=(Line(words=8),)),))
    # After 300 ms of its sound it is 3 s late, of which nothing can be made up.
    assert simulate(plan).seconds - simulate(plain).seconds == pytest.approx(2.7, abs=0.1)
