"""What happens when the user speaks over the agent, and how soon the agent's first sound is heard.

A reply of more than a minute comes faster than it is heard. When all of it is there, and at least 60 s of it are still
to be heard, `speech_started` is written to the wire. From then are counted, by one clock for both processes:

    stop        to the last sample that is let through to the player
    truncate    to `conversation.item.truncate` being read from the wire by the server

What is truncated is compared with what the player let through: in ms, as it stands on the wire; a ms is 24 frames. A
ghost is a frame that was written after the player was stopped. First audio: from the first delta being written to the
wire to the first write into the player.
"""

import sys
from typing import Any

from benchmarks.environments import PEERS
from benchmarks.lineup import FLOOR, LIVEKIT_UNCAPTIONED, OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, percentile
from benchmarks.processes import Process, Traffic, traffic

TITLE = "Barge-in"
MINUTES = 8

SIDES = (FLOOR, OURS, *PEERS)
MANY = (FLOOR, OURS, LIVEKIT_UNCAPTIONED, "openai-agents", "pipecat-ai")
"""With many calls in a process. livekit-agents is deployed with a process for each, so that nobody would meet what its
captions make of 100."""
DELTA_MS = 100
BUFFERED_S = 60
SENT_S = 30
"""What comes faster keeps a whole core busy with 100 calls of some, who then lose connections."""
ASKING_S = 0.005
"""Between one call that asks for a reply and the next one."""


def measure(options: Options) -> Results:
    found: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    failed: dict[str, str] = {}
    situations = [("asyncio", 1, SIDES), ("asyncio", 100, MANY), ("uvloop", 100, (FLOOR, OURS))]
    for loop, calls, names in [("asyncio", 1, SIDES), ("asyncio", 4, MANY)] if options.quick else situations:
        sides = {name: options.sides[name] for name in names if name in options.sides}
        with traffic() as server:
            processes = {name: server.side(side, loop) for name, side in sides.items()}
            versions |= {name: process.ready["versions"] for name, process in processes.items()}
            for name, process in processes.items():
                print(f"barge_in: {loop}, {calls} calls, {name}", file=sys.stderr)
                rounds = 1 if calls > 1 else 2 if options.quick else 10
                try:
                    process.do("open", calls=calls)
                    first_ms = first_audio(server, process, calls, rounds)
                    interrupted = interruptions(server, process, calls, rounds, sent_s=4 if options.quick else SENT_S)
                except RuntimeError as problem:
                    if name in (FLOOR, OURS):
                        raise
                    failed[f"{name}, {calls} calls on {loop},"] = str(problem)
                    continue
                found.append({"side": name, "loop": loop, "calls": calls, "first_ms": first_ms} | interrupted)
    return {"found": found, "versions": versions, "failed": failed}


def first_audio(server: Traffic, process: Process, calls: int, rounds: int) -> list[float]:
    server.script(delta_ms=20, seconds=0.4)
    process.do("talk", over_s=calls * ASKING_S)  # to warm up
    server.log()
    found: list[float] = []
    for _ in range(rounds):
        heard = process.do("talk", over_s=calls * ASKING_S)["heard"]
        written = server.log()["responses"]
        found += [ms(one["first_ns"] - other["first_ns"]) for one, other in zip(heard, written, strict=True)]
    return found


def interruptions(server: Traffic, process: Process, calls: int, rounds: int, sent_s: float) -> dict[str, Any]:
    """One for each call and round. Audio for many calls takes two thirds of `sent_s`; that for one is sent at once."""
    over_s = calls * ASKING_S
    if calls == 1:
        sent_s, pace = 1.0, 0.0
    else:
        pace = 1.5 * BUFFERED_S / sent_s
    from_s, to_s = over_s + sent_s, over_s + sent_s + (1 if calls == 1 else 3)
    server.script(
        delta_ms=DELTA_MS,
        seconds=round(BUFFERED_S + to_s + over_s + 1),
        pace=pace,
        interrupt_ms=[from_s * 1000, to_s * 1000],
    )
    found: dict[str, Any] = {"stop_ms": [], "truncate_ms": [], "off_ms": [], "ghosts": 0, "errors": 0}
    found |= {"interruptions": calls * rounds, "buffered_s": []}
    for _ in range(rounds):
        heard = process.do("talk", over_s=over_s)["heard"]
        for one, other in zip(heard, server.log()["responses"], strict=True):
            found["ghosts"] += one["ghosts"]
            found["errors"] += len(other["errors"])
            if one["stopped_ns"] is None or other["speech_ns"] is None:
                continue
            last_ns = max(one["stopped_ns"], one["last_ns"] if one["ghosts"] else 0)
            found["stop_ms"].append(ms(last_ns - other["speech_ns"]))
            if other["truncate_ns"] is not None:
                found["truncate_ms"].append(ms(other["truncate_ns"] - other["speech_ns"]))
                found["off_ms"].append(other["truncate_ms"] - one["frames"] // 24)
    return found


def ms(ns: int) -> float:
    return round(ns / 1e6, 3)


def table(results: Results) -> str:
    head = ["", "stop, ms", "truncate, ms", "truncate - heard, ms", "ghosts", "errors", "first audio, ms"]
    rows: list[list[str]] = []
    for each in results["found"]:
        off = [abs(value) for value in each["off_ms"]]
        stopped, cut = len(each["stop_ms"]), len(each["off_ms"])
        rows.append(
            [
                f"{each['side']}, {each['calls']} on {each['loop']}",
                times(each["stop_ms"]) + ("" if stopped == each["interruptions"] else f" ({stopped} times)"),
                times(each["truncate_ms"]) + ("" if cut == each["interruptions"] else f" ({cut} times)"),
                f"{sum(off) / len(off):.0f}, at most {max(off)}" if off else "-",
                f"{each['ghosts']} frames" if each["ghosts"] else "none",
                str(each["errors"]),
                times(each["first_ms"]),
            ]
        )
    return "Median, 99th percentile, most:\n\n" + markdown(head, rows)


def times(values: list[float]) -> str:
    if not values:
        return "never"
    return f"{percentile(values, 50):.1f}, {percentile(values, 99):.1f}, {max(values):.1f}"


def verdicts(results: Results) -> list[Verdict]:
    found: list[Verdict] = []
    for each in results["found"]:
        if each["side"] != OURS:
            continue
        where = f"{each['calls']} calls on {each['loop']}"
        stop = percentile(each["stop_ms"], 99)
        wanted = "under 2 ms" if each["calls"] == 100 else ""
        found.append(Verdict(f"Barge-in, {where}: stop at the 99th percentile", f"{stop:.1f} ms", stop < 2, wanted))
        exact = not any(each["off_ms"]) and len(each["off_ms"]) == each["interruptions"]
        off = f"{sum(map(bool, each['off_ms']))} of {each['interruptions']} are not"
        found.append(Verdict(f"Barge-in, {where}: truncate equals heard", "all" if exact else off, exact, "all"))
        for other in results["found"]:
            same = (other["calls"], other["loop"]) == (each["calls"], each["loop"])
            if same and other is not each:
                for key, what in (("stop_ms", "stop"), ("truncate_ms", "truncate"), ("first_ms", "first audio")):
                    if not other[key]:
                        continue
                    ours, theirs = percentile(each[key], 50), percentile(other[key], 50)
                    text = f"Barge-in, {where}: {what}, ours to {other['side']}'s, medians"
                    found.append(Verdict(text, f"{ours:.2f} to {theirs:.2f} ms", ours <= theirs))
    return found


if __name__ == "__main__":
    alone(measure, table)
