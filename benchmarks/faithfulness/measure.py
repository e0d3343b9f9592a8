"""Lets all sides have the same conversations, and says in how many of them server, history and ears agree.

    python -m benchmarks.faithfulness [--sides ours floor ...] [--parts 4] [--seed 1] [--only TEXT] [--json FILE] [--all]
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from benchmarks.faithfulness import play
from benchmarks.faithfulness.evidence import Evidence
from benchmarks.faithfulness.judge import Verdict, judge
from benchmarks.faithfulness.scenes import LINES, SITUATIONS
from rtactors.loopback.voice import EspeakVoice

AT_ONCE = 16
"""Conversations of a side at a time: few enough for two cores to keep up with the slowest of them."""
APART_S = 0.2
"""Between the beginnings of two: a framework is busiest when it connects."""
MODULES = {
    "rtactors": "ours",
    "livekit-agents": "livekit_agents",
    "openai-agents": "openai_agents",
    "pipecat-ai": "pipecat_ai",
    "floor": "floor",
}


def cases(parts: int, seed: int, only: str = "") -> list[play.Case]:
    """So many of each situation, cut all over; each part is drawn from its own share of what can be heard."""
    chance = random.Random(seed)
    wanted = [index for index, each in enumerate(SITUATIONS) if only in f"{each.ids} {each.title}"]
    return [play.Case(index, (part + chance.random()) / parts) for part in range(parts) for index in wanted]


async def converse(name: str, python: str, wanted: Sequence[play.Case], at_once: int) -> tuple[list[Evidence], dict[str, str]]:
    voice = EspeakVoice(words_a_minute=190)
    known = await play.lengths(voice, LINES)
    gathered: list[Evidence] = []
    places = anyio.CapacityLimiter(at_once)
    async with play.side(name, python, MODULES[name]) as side:

        async def one(case: play.Case) -> None:
            async with places:
                gathered.append(await play.play(side, case, voice, known))

        async def begin_all(tasks: TaskGroup) -> None:
            for case in wanted:
                tasks.start_soon(one, case)
                await anyio.sleep(APART_S)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begin_all, tasks)
    return sorted(gathered, key=lambda each: (each.situation, each.part)), side.versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", nargs="+", default=[*MODULES])
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--evidence", type=Path)
    options = parser.parse_args()
    pythons = dict(each.split("=", 1) for each in options.python)
    for name in options.sides:
        began = time.monotonic()
        evidence, versions = anyio.run(
            partial(converse, name, pythons.get(name, sys.executable), cases(options.parts, options.seed, options.only), options.at_once)
        )
        verdicts = [judge(each) for each in evidence]
        if options.evidence:
            options.evidence.write_bytes(msgspec.json.encode(evidence))
        for each, verdict in zip(evidence, verdicts, strict=True):
            situation = SITUATIONS[each.situation]
            print(f"{'ok ' if verdict.faithful else 'BAD'} {name} {situation.ids} {situation.title} [{each.part:.2f}]", [round(o, 1) for o in verdict.off_ms], "" if verdict.goes_on else "DEAD", verdict.problem)
            for sentence in (*verdict.server, *verdict.history, *verdict.tools, *verdict.strange, *(f"error: {error}" for error in verdict.errors)):
                print("       ", sentence)
        late = sorted(each.late_ms for each in evidence)
        print("late", late[len(late) // 2], late[-1])
        good = sum(verdict.faithful for verdict in verdicts)
        print(name, versions, f"{good} of {len(verdicts)} in {time.monotonic() - began:.0f} s")
