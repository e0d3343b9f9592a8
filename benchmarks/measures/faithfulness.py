"""All sides have the same conversations with the embedded server, over websockets: three in each of 34 situations.

These are those of [scenarios](scenarios.md): the user interrupts here and there, functions are called, the server does
odd things, the connection is lost. After each it is compared what the ears heard, what the server holds, and what the
framework's own history says; they agree if both end where hearing did, give or take 100 ms or two words, and hold
nothing that nobody heard. A conversation is faithful if they agree, function calls are answered, and the agent still
answers the user at the end. One judge for all; what it asks for, and why each peer fails where it does, by file and
function, is in [faithfulness](../benchmarks/faithfulness/README.md). `python -m benchmarks.faithfulness --why` has the
same conversations and says of each what did not hold.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks.faithfulness import converse
from benchmarks.faithfulness.judge import Verdict as Judged
from benchmarks.faithfulness.scenes import SITUATIONS
from benchmarks.lineup import OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, percentile

TITLE = "Faithfulness: do server, history and ears agree after an interruption?"
MINUTES = 9

QUICK = "three messages"
"""Situations of a quick run."""


def measure(options: Options) -> Results:
    wanted = converse.cases(1, only=QUICK) if options.quick else converse.cases()
    return converse.measure(options.sides, wanted)


def verdict_of(plain: Any) -> Judged:  # noqa: ANN401 - as it stands in a file
    return msgspec.convert(plain, Judged)


def _share(verdicts: Sequence[Judged], holds: Callable[[Judged], bool]) -> str:
    count = sum(map(holds, verdicts))
    return f"{count} of {len(verdicts)} ({100 * count / len(verdicts):.0f}%)"


def _off(verdicts: Sequence[Judged]) -> str:
    off = [abs(each) for verdict in verdicts for each in verdict.off_ms]
    if not off:
        return "none sent"
    return f"{percentile(off, 50):.1f}, {percentile(off, 95):.1f}, {max(off):.1f} ({len(off)})"


ROWS: dict[str, Callable[[Sequence[Judged]], str]] = {
    "**faithful: all agree, and it goes on**": lambda all_: _share(all_, lambda each: each.faithful),
    "the server agrees with the ears": lambda all_: _share(all_, lambda each: not each.server),
    "the history agrees with the ears": lambda all_: _share(all_, lambda each: not each.history),
    "function calls are answered, none run on half its arguments": lambda all_: _share(
        all_, lambda each: not each.tools
    ),
    "the agent answers afterwards": lambda all_: _share(all_, lambda each: each.goes_on),
    "abs(truncate less heard), ms: median, p95, most (truncates)": _off,
    "cut messages that the server holds whole": lambda all_: str(sum(each.uncut for each in all_)),
    "messages left on the server that nobody heard": lambda all_: str(sum(each.unheard_items for each in all_)),
    "messages left in the history that nobody heard": lambda all_: str(sum(each.unheard_messages for each in all_)),
    "truncates that the server refused": lambda all_: str(sum(each.refused_truncates for each in all_)),
    "errors that the server answered, all in all": lambda all_: str(sum(len(each.errors) for each in all_)),
}


def table(results: Results) -> str:
    verdicts = [verdict_of(each) for each in results["verdicts"]]
    sides = [side for side in converse.SIDES if side in results["versions"]]
    of_side = {side: [each for each in verdicts if each.side == side] for side in sides}
    totals = [[what, *(row(of_side[side]) for side in sides)] for what, row in ROWS.items()]
    groups = list(dict.fromkeys(each.group for each in SITUATIONS))
    by_group: list[list[str]] = []
    by_situation: list[list[str]] = []
    for group in groups:
        numbers = [index for index, each in enumerate(SITUATIONS) if each.group == group]
        if cells := _cells(of_side, numbers):
            by_group.append([f"**{group}**", *cells])
        for number in numbers:
            if cells := _cells(of_side, [number]):
                title = f"{SITUATIONS[number].ids}: {SITUATIONS[number].title}"
                by_situation.append([title, *cells])
    late = [f"{side} {percentile(late, 50):.0f} and {max(late):.0f}" for side, late in results["late_ms"].items()]
    return "\n".join(
        [
            markdown(["", *sides], totals),
            "Faithful conversations, by what is interrupted:\n",
            markdown(["", *sides], by_group),
            "And by situation (names as in `docs/scenarios.md`):\n",
            markdown(["", *sides], by_situation),
            f"How late a side's loop was at the worst of a conversation, in ms, median and most: {'; '.join(late)}.",
        ]
    )


def _cells(of_side: dict[str, list[Judged]], situations: Sequence[int]) -> list[str]:
    cells: list[str] = []
    for all_ in of_side.values():
        here = [each for each in all_ if each.situation in situations]
        if here:
            cells.append(f"{sum(each.faithful for each in here)}/{len(here)}")
    return cells


def verdicts(results: Results) -> list[Verdict]:
    judged = [verdict_of(each) for each in results["verdicts"]]
    shares = {
        side: 100 * sum(each.faithful for each in here) / len(here)
        for side in results["versions"]
        if (here := [each for each in judged if each.side == side])
    }
    ours = shares.get(OURS, 0.0)
    found = [Verdict("faithful conversations", f"{ours:.0f}%", ours == 100, "100%")]
    for side, share in shares.items():
        if side != OURS:
            what = f"faithful conversations, against {side}"
            found.append(Verdict(what, f"{ours:.0f}% against {share:.0f}%", ours > share))
    off = [abs(each) for one in judged if one.side == OURS for each in one.off_ms]
    most = max(off, default=0.0)
    found.append(Verdict("truncate less heard, the furthest", f"{most:.2f} ms", most <= 1, "at most 1 ms"))
    return found


if __name__ == "__main__":
    alone(measure, table)
