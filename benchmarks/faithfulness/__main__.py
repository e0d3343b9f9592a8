"""`python -m benchmarks.faithfulness`: the same as `benchmarks.measures.faithfulness`, and more to choose from.

With `--why` it says of each conversation that was not faithful what doesn't hold. A conversation of its list is had
again by `--only`, `--parts` and `--seed`: they decide what it is.
"""

import argparse

from benchmarks.faithfulness import converse
from benchmarks.faithfulness.judge import Verdict
from benchmarks.faithfulness.scenes import SITUATIONS
from benchmarks.lineup import lineup
from benchmarks.measures import faithfulness


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", nargs="+", default=converse.SIDES, choices=converse.SIDES)
    parser.add_argument("--parts", type=int, default=converse.PARTS, help="conversations of each situation")
    parser.add_argument("--seed", type=int, default=converse.SEED)
    parser.add_argument("--only", default="", help="situations in whose ids or title this stands")
    parser.add_argument("--why", action="store_true", help="say what doesn't hold")
    parser.add_argument("--verbose", action="store_true", help="show what the sides write to their standard errors")
    options = parser.parse_args()
    sides = {name: side for name, side in lineup().items() if name in options.sides}
    cases = converse.cases(options.parts, options.seed, options.only)
    if not cases:
        parser.error(f"there are no conversations: {options.parts} of each situation with {options.only!r} in it")
    if not sides:
        parser.error(f"none of {', '.join(options.sides)} has an environment: make bench-environments")
    results = converse.measure(sides, cases, verbose=options.verbose)
    if options.why:
        for verdict in map(faithfulness.verdict_of, results["verdicts"]):
            _explain(verdict)
    print(faithfulness.table(results))


def _explain(verdict: Verdict) -> None:
    sentences = [*verdict.server, *verdict.history, *verdict.tools, *verdict.strange]
    sentences += [f"the server answered: {error}" for error in verdict.errors]
    if not verdict.goes_on:
        sentences.append(f"nobody answers any more ({verdict.problem or 'without a word'})")
    if sentences:
        situation = SITUATIONS[verdict.situation]
        mark = "faithful" if verdict.faithful else "NOT FAITHFUL"
        title = f"{verdict.side}: {situation.ids} {situation.title}, {verdict.part:.2f}: {mark}"
        print(title, *sentences, sep="\n    ")


main()
