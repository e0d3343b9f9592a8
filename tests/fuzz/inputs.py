"""How many inputs a test tries, and the count of those that were tried.

In the suite they are few and the same in each run of the same code, so that nothing is ever refused by chance. (They
are others once our code is: Hypothesis takes up the constants in it.) `make fuzz` tries more, other ones each time, and
Hypothesis keeps what it found in `.hypothesis` until it is mended.
"""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar, cast

from hypothesis import HealthCheck, Phase, settings

ALL_CHECKS = cast("list[HealthCheck]", list(HealthCheck))  # its metaclass is not typed

Test = TypeVar("Test", bound=Callable[..., object])

wanted: list[int] = []
"""How many for `decode`, if it was said (`--inputs`); other tests have their share of that."""
tried: Counter[tuple[str, str]] = Counter()
"""By what was tried, and by kind."""


def inputs(quick: int, *, share: float) -> Callable[[Test], Test]:
    """So many in the suite; otherwise this share of what was wanted."""
    return settings(
        max_examples=max(1, int(wanted[0] * share)) if wanted else quick,
        derandomize=not wanted,
        # Nothing is said about time, since the machine may be busy; and an input may be large.
        deadline=None,
        suppress_health_check=ALL_CHECKS,
        # Explaining runs a failure many times more; a conversation takes too long for that.
        phases=set(Phase) - {Phase.explain},
    )


def count(what: str, *kinds: str) -> None:
    tried.update((what, kind) for kind in kinds)
