"""The example of delegation: it runs by itself, as a newcomer would run it; and its planner plans."""

import importlib.util
import os
import subprocess
import sys
from itertools import permutations
from math import dist
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "delegate.py"


@pytest.mark.sockets
def test_it_runs_by_itself(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        env=environment | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=50,
    )
    assert (result.returncode, result.stderr) == (0, "")
    said = [line for line in result.stdout.splitlines() if not line.startswith("    planner")]
    assert said == [
        "user: I have to go to the bank, the bakery and the library. When should I be where?",
        "model: I look up when 3 places are open.",
        "user: Oh, and I need something from the pharmacy.",
        "model: All right.",
        "model: I take that in, too.",
        "model: Here is your round: bakery at 9:08, pharmacy at 9:48, bank at 10:23, library at 11:00.",
    ]


def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("delegate", EXAMPLE)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


PLANNER = module()


def home_at(order: tuple[str, ...]) -> float | None:
    """When one is home again on a round in this order; None if a place is closed by then."""
    here, minute = PLANNER.HOME, float(PLANNER.START)
    for place in order:
        there, opens, closes = PLANNER.PLACES[place]
        minute = max(minute + dist(here, there) * PLANNER.MINUTES_PER_KM, opens) + PLANNER.MINUTES_THERE
        if minute > closes:
            return None
        here = there
    return minute + dist(here, PLANNER.HOME) * PLANNER.MINUTES_PER_KM


@given(st.frozensets(st.sampled_from(sorted(PLANNER.PLACES)), min_size=1))
def test_no_other_round_is_better(errands: frozenset[str]) -> None:
    possible = [found for order in permutations(errands) if (found := home_at(order)) is not None]
    order = tuple(place for place, _minute in PLANNER.best_round(errands))
    assert {*order} == errands
    assert home_at(order) == min(possible)


def test_a_round_that_there_is_none_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLANNER.PLACES, "moon", ((384_400.0, 0.0), 0, 24 * 60))
    with pytest.raises(ValueError, match="no round leads to bank, moon while each is open"):
        PLANNER.best_round(frozenset({"bank", "moon"}))
