"""Makes a failing plan smaller while it still fails in the same way: for plans that came by a seed, not by Hypothesis.

Each pass tries, from the largest change to the smallest, to leave out an entry, to put a field back to its plainest,
and to make a number smaller; what still fails is kept. It ends when nothing more can be left out.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from rtactors.testing.invariants import Violation
from rtactors.testing.simulation.plan import Plan
from rtactors.testing.simulation.run import Outcome, simulate

MOST_RUNS = 400


def shrink(outcome: Outcome, *, most: int = MOST_RUNS, run: Callable[[Plan], Outcome] = simulate) -> Outcome:
    """The outcome of the smallest plan found that fails by one of the same violations, in at most so many runs."""
    wanted = {kind(violation) for violation in outcome.violations}
    runs = 0
    smaller = True
    while smaller:
        smaller = False
        for plan in _simpler(outcome.plan):
            if runs >= most:
                return outcome
            runs += 1
            tried = run(plan)
            if wanted & {kind(violation) for violation in tried.violations}:
                outcome, smaller = tried, True
                break
    return outcome


def kind(violation: Violation) -> str:
    """The violation without ids, numbers and quotations: what is the same in other conversations."""
    sentence = re.sub(r"\b(item|resp|rt_\w+?|new|call_item)_\d+|'[^']*'|\d+(\.\d+)?", "#", violation.sentence)
    return f"{violation.invariant}: {sentence}"


def _simpler(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any part of a plan
    """Simpler things of the same type, the simplest first."""
    match value:
        case Struct():
            yield from _simpler_struct(value)
        case tuple():
            yield from _simpler_tuple(cast("tuple[Any, ...]", value))
        case bool() | str() | None:
            pass
        case int() if value > 0:
            yield from sorted({0, value // 2, value - value % 100, value - value % 10, value - 1} - {value})
        case _:
            pass


def _simpler_struct(value: Struct) -> Iterator[Struct]:
    for field in fields(value):
        given = getattr(value, field.name)
        plain = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if plain is not NODEFAULT and given != plain:
            yield replace(value, **{field.name: plain})
    for field in fields(value):
        for simpler in _simpler(getattr(value, field.name)):
            try:  # a count may not become 0, say
                yield msgspec.convert(msgspec.to_builtins(replace(value, **{field.name: simpler})), type(value))
            except msgspec.ValidationError:
                continue


def _simpler_tuple(value: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    half = len(value) // 2
    if half > 1:
        yield value[half:]
        yield value[:half]
    for index in range(len(value)):
        yield value[:index] + value[index + 1 :]
    for index, each in enumerate(value):
        for simpler in _simpler(each):
            yield (*value[:index], simpler, *value[index + 1 :])
