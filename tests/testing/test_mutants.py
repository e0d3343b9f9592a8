"""The simulation finds faults: each deliberate break of a rule or an invariant (`mutants.py`) is caught."""

from itertools import chain, count, islice

import pytest

from rtactors.testing.simulation import plan_of, simulate
from tests.testing.mutants import MUTANTS

MOST = 150
"""Plans after which a mutant has survived."""


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    mutant.apply(monkeypatch)
    # The seed that was once the first to catch it goes first; if plans are made otherwise by now, any may.
    plans = islice(filter(mutant.needs, map(plan_of, count())), MOST)
    assert any(simulate(plan).failed for plan in chain([plan_of(mutant.seed)], plans)), (
        f"nothing noticed that {name} (breaks {mutant.breaks})"
    )


def test_the_code_as_it_is_passes_the_same_seeds() -> None:
    for seed in sorted({mutant.seed for mutant in MUTANTS.values()}):
        assert not (outcome := simulate(plan_of(seed))).violations, f"seed {seed}: {outcome.violations}"


def test_each_rule_and_each_invariant_is_broken() -> None:
    """But for rule 9 (anyio only) and 12 (bounds), which have tests of their own."""
    broken = {what for mutant in MUTANTS.values() for what in mutant.breaks.split()}
    rules, invariants = {f"R{n}" for n in range(1, 12)} - {"R9"}, {f"I{n}" for n in range(1, 13)}
    assert broken == rules | invariants
