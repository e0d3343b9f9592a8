"""Simulate conversations by the thousand, and show what does not hold: `python -m rtactors.testing.simulation`.

The exit code is 1 if anything did not.
"""

import argparse
import sys
from pathlib import Path

from rtactors.testing.simulation.campaign import Figures, campaign, keep
from rtactors.testing.simulation.plan import read_plan
from rtactors.testing.simulation.run import simulate


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    given = _parser().parse_args(arguments)
    if given.plan:
        return _repeat(given.plan)
    first = given.first
    figures = campaign(
        range(first, first + given.seeds),
        processes=given.processes,
        disconnects=not given.no_disconnects,
        progress=lambda so_far, seconds: _tell(so_far, seconds, given.seeds),
    )
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    print("\n".join(figures.lines()))  # noqa: T201 - what a command is for
    for failure in figures.failures:
        plan, recording = keep(failure, given.output)
        print(f"\n{failure}\n\nagain:   python -m rtactors.testing.simulation --plan {plan}")  # noqa: T201 - the same
        print(f"stepwise: rtactors replay {recording} --step")  # noqa: T201 - the same
    return 1 if figures.failures else 0


def _repeat(path: Path) -> int:
    outcome = simulate(read_plan(path.read_bytes()))
    print(outcome.story)  # noqa: T201 - the same
    for violation in outcome.violations:
        print(violation)  # noqa: T201 - the same
    return 1 if outcome.failed else 0


def _tell(figures: Figures, seconds: float, seeds: int) -> None:
    rate = figures.conversations / seconds * 60 if seconds else 0
    line = f"{figures.conversations:,} of {seeds:,}, {rate:,.0f} a minute, {len(figures.failures)} failed"
    sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rtactors.testing.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, metavar="N", help="how many conversations (%(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (%(default)s)")
    parser.add_argument("--processes", type=int, metavar="N", help="at a time (as many as there are cores)")
    parser.add_argument("--no-disconnects", action="store_true", help="connections last")
    parser.add_argument(
        "--plan", type=Path, metavar="FILE", help="run this one plan again, and tell what happens in it"
    )
    parser.add_argument("--output", type=Path, default=Path(), metavar="FOLDER", help="for what fails")
    return parser


if __name__ == "__main__":
    sys.exit(main())
