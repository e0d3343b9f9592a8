"""What a measure is: a module that `make bench` runs, and that runs alone as well.

    python -m benchmarks.measures.NAME [--quick]

It has

    TITLE: str                                 the heading of its section
    MINUTES: float                             how long a whole run takes, at most
    measure(options: Options) -> Results       numbers only: what `results/NAME.json` keeps; with `versions`, by side
                                               and package, and `failed`: why a peer is missing, by its name
    table(results: Results) -> str             its section of the page, as Markdown
    verdicts(results: Results) -> [Verdict]    what it says about us, from which the page derives where we lose

and ends with `if __name__ == "__main__": alone(measure, table)`.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple, TypeAlias

from benchmarks.lineup import lineup
from benchmarks.processes import Side

Results: TypeAlias = dict[str, Any]
"""Plain data, as JSON can hold it."""


class Options(NamedTuple):
    """What to measure."""

    sides: Mapping[str, Side]
    """By name; what isn't among them is left out."""
    quick: bool = False
    """Just enough to see that all of it works; the numbers say little."""


class Verdict(NamedTuple):
    """One comparison with a peer, the floor, or what was to be reached."""

    what: str
    """`CPU an audio event, 20 ms, 100 calls on uvloop, against the floor`"""
    got: str
    """`1.43 (1.38 to 1.50)`"""
    won: bool
    wanted: str = ""
    """What was to be reached: `at most 1.5`; empty if it is a comparison only."""


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and the lowest and the highest."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of them don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def alone(measure: Callable[[Options], Results], table: Callable[[Results], str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="see that it works; the numbers say little")
    options = parser.parse_args()
    results = measure(Options(lineup(), quick=options.quick))
    print(table(results))
    for name, why in results.get("failed", {}).items():
        print(f"{name} is missing where it failed: {why}", file=sys.stderr)
