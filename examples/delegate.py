"""Delegation: a speech model talks with the user, while a planner behind it plans a round of errands.

    python examples/delegate.py

The model hands over what the user wants; the planner says how it goes, takes up what the user adds in the meantime, and
answers once. It is any async function. This one searches for the shortest round on which every place is still open.
"""

import json
from collections.abc import Iterator
from math import dist, inf

import anyio

from rtactors import Session
from rtactors.delegation import Delegate, Work
from rtactors.loopback.script import IMMEDIATE, Call, Output, Reply, Say, Turn
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, UserWrote
from rtactors.sinks import MemorySink

HOME, START = (0.0, 0.0), 9 * 60
PLACES = {  # where, in km; open from and until, in minutes of the day
    "bank": ((2.0, 1.0), 10 * 60, 16 * 60),
    "bakery": ((0.5, 0.5), 7 * 60, 13 * 60),
    "library": ((3.0, 3.0), 11 * 60, 19 * 60),
    "pharmacy": ((2.5, -1.0), 9 * 60, 12 * 60),
    "post office": ((1.0, 2.5), 9 * 60, 17 * 60),
}
MINUTES_PER_KM, MINUTES_THERE = 12, 10

Stop = tuple[str, int]
"""A place, and when one is served there."""


def best_round(errands: frozenset[str]) -> list[Stop]:
    """The order that brings one home first: all are tried, but for those that can't be better any more."""
    best, home_at = list[Stop](), inf

    def visit(here: tuple[float, float], minute: float, left: frozenset[str], done: list[Stop]) -> None:
        nonlocal best, home_at
        back = minute + dist(here, HOME) * MINUTES_PER_KM
        if back >= home_at:
            return
        if not left:
            best, home_at = done, back
        for place in sorted(left, key=lambda each: dist(here, PLACES[each][0])):
            there, opens, closes = PLACES[place]
            served = max(minute + dist(here, there) * MINUTES_PER_KM, opens)
            if served + MINUTES_THERE <= closes:
                visit(there, served + MINUTES_THERE, left - {place}, [*done, (place, round(served))])

    visit(HOME, START, errands, [])
    if not best:
        raise ValueError(f"no round leads to {', '.join(sorted(errands))} while each is open")
    return best


async def plan(work: Work) -> str:
    wanted = list(places_in(work.input))
    await work.progress(f"I look up when {len(wanted)} places are open.")
    for place in wanted:  # which may become more
        await anyio.sleep(0.5)  # as a real lookup takes
        print(f"    planner: the {place} opens at {clock(PLACES[place][1])}")
        while more := work.next_steering():
            wanted += places_in(more.input)
            await work.progress("I take that in, too.")
    stops = best_round(frozenset(wanted))
    return "Here is your round: " + ", ".join(f"{place} at {clock(minute)}" for place, minute in stops) + "."


def places_in(text: str) -> Iterator[str]:
    return (place for place in PLACES if place in text.lower())


def clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


class Secretary:
    """The model, played by the server: hands over what the user says, and reads out what the planner has to say."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, turn: Turn) -> Reply:
        outputs: list[Output] = []
        for item in turn.history:
            if item.id not in self._seen and item.role == "user" and not item.text.startswith("[BACKEND]"):
                outputs.append(Call(name="background_agent", arguments=json.dumps({"prompt": item.text})))
            elif item.id not in self._seen and (item.output or item.role == "user"):
                steers = item.output.startswith("This was sent to steer")
                outputs.append(
                    Say(text="All right." if steers else item.output or item.text.removeprefix("[BACKEND] "))
                )
        self._seen.update(item.id for item in turn.history)
        return Reply(outputs=tuple(outputs))


async def main() -> None:
    delegate = Delegate(plan, speak_progress=True)
    async with MemoryServer(Secretary(), voice=ToneVoice(), timing=IMMEDIATE) as server:
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`; and a Speaker as the sink.
        provider = OpenAIRealtime(api_key="")
        async with Session(provider, sink=MemorySink(), connect=server.connect, delegate=delegate) as session:
            events = session.events()
            await session.ask("I have to go to the bank, the bakery and the library. When should I be where?")
            async for event in events:
                if isinstance(event, UserWrote):
                    print("user:", event.text)
                elif isinstance(event, AgentSaid):
                    print("model:", event.message.heard_text)
                    if event.message.heard_text.startswith("I look up"):
                        await session.ask("Oh, and I need something from the pharmacy.")
                    elif event.message.heard_text.startswith("Here is"):
                        break
            await session.quiet()
            [answer, acknowledged] = [item.output for item in session.history if item.output]

    assert acknowledged == "This was sent to steer the previous background agent task."
    assert answer == "Here is your round: bakery at 9:08, pharmacy at 9:48, bank at 10:23, library at 11:00."


if __name__ == "__main__":
    anyio.run(main)
