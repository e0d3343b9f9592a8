"""Whole conversations by the thousand, with all that can go wrong in them, in virtual time: see `docs/simulation.md`.

outcome = simulate(plan_of(7))        # one seed
python -m rtactors.testing.simulation --seeds 20000
"""

from rtactors.testing.simulation.chance import plan_of
from rtactors.testing.simulation.plan import Plan, read_plan
from rtactors.testing.simulation.run import Outcome, simulate

__all__ = ["Outcome", "Plan", "plan_of", "read_plan", "simulate"]
