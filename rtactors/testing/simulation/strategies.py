"""Plans for Hypothesis, which drives and shrinks them. (The one module here that needs the package `hypothesis`.)

@given(plans())
def test_my_agent(plan: Plan) -> None:
    assert not simulate(plan).violations
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from rtactors.testing.simulation.chance import Chance, make_plan
from rtactors.testing.simulation.plan import Plan

T = TypeVar("T")


@st.composite
def plans(draw: Callable[[st.SearchStrategy[Any]], Any], *, disconnects: bool = True) -> Plan:
    """All that a seed can give, with the same likelihoods; see `rtactors.testing.simulation.chance`."""
    backend = draw(st.sampled_from(("asyncio", "trio")))
    return make_plan(_Drawn(draw), backend=backend, disconnects=disconnects)


class _Drawn:
    """Lets Hypothesis choose: the same choices as by a seed, and it knows what belongs to what."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def number(self, most: int) -> int:
        return self._draw(st.integers(0, most))

    def many(self, make: Callable[[Chance], T], most: int, least: int = 0) -> tuple[T, ...]:
        return tuple(self._draw(st.lists(_one(make), min_size=least, max_size=most)))


@st.composite
def _one(draw: Callable[[st.SearchStrategy[Any]], Any], make: Callable[[Chance], T]) -> T:
    return make(_Drawn(draw))
