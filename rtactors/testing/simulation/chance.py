"""What plans are made of, and how likely each thing is: written once, for seeds and for Hypothesis.

A `Chance` chooses. `SeededChance` does so by a seed; the one in `rtactors.testing.simulation.strategies` lets
Hypothesis choose, which can then make a plan smaller by making other choices. So each choice names the plainest first.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from rtactors.testing.clock import BackendName
from rtactors.testing.simulation.plan import (
    Agent,
    Break,
    Calls,
    Deed,
    Device,
    Fault,
    Function,
    Kind,
    Line,
    Model,
    Network,
    Plan,
    Policy,
    Reply,
    Stall,
    Step,
    Text,
    Wish,
    Wrong,
)

T = TypeVar("T")


class Chance(Protocol):
    def pick(self, options: Sequence[T]) -> T:
        """One of them; what is likelier stands there more often, what is plainest first."""
        ...

    def number(self, most: int) -> int:
        """From 0 to `most`, both included."""
        ...

    def many(self, make: "Callable[[Chance], T]", most: int, least: int = 0) -> tuple[T, ...]:
        """So many that were made independently of one another."""
        ...


class SeededChance:
    """The same choices for the same seed, on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def pick(self, options: Sequence[T]) -> T:
        return options[self._random.randrange(len(options))]

    def number(self, most: int) -> int:
        return self._random.randrange(most + 1)

    def many(self, make: Callable[[Chance], T], most: int, least: int = 0) -> tuple[T, ...]:
        return tuple(make(self) for _ in range(least + self._random.randrange(most - least + 1)))


def plan_of(seed: int, *, disconnects: bool = True) -> Plan:
    """The plan of a seed. Even seeds run on asyncio, odd ones on trio."""
    return make_plan(SeededChance(seed), backend="trio" if seed % 2 else "asyncio", disconnects=disconnects)


def make_plan(chance: Chance, *, backend: BackendName = "asyncio", disconnects: bool = True) -> Plan:
    """One conversation. Without `disconnects` its connection lasts."""
    trouble = chance.pick(TROUBLES)
    limit_s = chance.pick((64, 90)) if disconnects and "limit" in trouble else 0
    model = _model(chance, limit_s)
    moves_items = chance.pick((False, True))
    steps = (
        _first_step(chance, limit_s),
        *chance.many(_step_of(_ALL_DEEDS if moves_items else _PLAIN_DEEDS), chance.pick((5, 14, 14)), 1),
    )
    tools = chance.many(_function, 3) if moves_items and chance.pick((False, True)) else ()
    agent = _agent(chance) if moves_items and chance.pick((False, False, True)) else None
    kinds: Mapping[Kind, int] = _KINDS_WITH_TOOLS if tools else _KINDS_THAT_MOVE if moves_items else _KINDS
    kinds = {**kinds, **_KINDS_OF_AGENTS} if agent else kinds
    replies = chance.many(_reply_of(_weighed(kinds)), 4, 1)
    beside = any(step.wish.beside for step in steps)
    fault = _fault_on(_REORDERABLE if moves_items else _LATE, _TOLD_OF_BESIDE if beside else _LOST)
    faults = chance.many(fault, 4, 1) if "provider" in trouble else ()
    return Plan(
        steps=steps,
        ending=chance.pick(("quiet", "quiet", "quiet", "leave", "leave", "crash", "cancel")),
        replies=replies,
        model=model,
        network=_network(chance, breaks=disconnects and "breaks" in trouble) if "network" in trouble else Network(),
        device=_device(chance) if "device" in trouble else Device(),
        faults=faults,
        calls=Calls(answer_ms=chance.pick((0, 0, 400)), times=chance.pick((1, 1, 1, 0, 2))),
        tools=tools,
        agent=agent,
        interruption=_policy(chance) if chance.pick((False, False, True)) else Policy(),
        backend=backend,
        turns=chance.number(1 << 16),
        text=_text(chance),
    )


TROUBLES: Sequence[frozenset[str]] = tuple(
    frozenset(name.split())
    for name in (
        "",
        "",
        "provider",
        "provider",
        "network",
        "device",
        "provider device",
        "network device",
        "provider network",
        "provider network device",
        "network breaks",
        "network breaks",
        "limit",
        "limit device",
        "limit provider network",
        "provider network breaks device",
        "provider",
    )
)
"""Where things may go wrong: with nothing wrong the judge is at its strictest, so that is likely, too."""


def _model(chance: Chance, limit_s: int) -> Model:
    return Model(
        command_ms=chance.pick((10, 10, 0, 80)),
        created_ms=chance.pick((20, 20, 0, 300)),
        thinking_ms=chance.pick((80, 80, 0, 1000)),
        between_ms=chance.pick((10, 10, 0, 900)),
        audio_ms=chance.pick((10, 10, 0, 200)),
        delta_ms=chance.pick((100, 100, 40, 250)),
        percent=chance.pick((800, 800, 0, 150, 150, 150, 70)),
        transcription_ms=chance.pick((150, 150, 0, 3000)),
        detects_speech=chance.pick((True, True, True, True, False)),
        interrupts=chance.pick((True, True, True, False)),
        replies=chance.pick((True, True, True, False)),
        limit_s=limit_s,
    )


_DEEDS: Mapping[Deed, int] = {
    "ask": 6,
    "speak": 5,
    "hush": 6,
    "interrupt": 3,
    "generate_reply": 4,
    "stop_reply": 4,
    "pause": 3,
    "unpause": 4,
    "remove": 1,
    "cough": 2,
    "clear_audio": 1,
    "wait_until_quiet": 1,
    "wait_until_heard": 2,
}
"""How likely each is; the plainest first."""
_EDITS: Mapping[Deed, int] = {"add": 2, "set_history": 5, "remove": 2}


def _weighed(weights: Mapping[T, int]) -> tuple[T, ...]:
    return tuple(each for each, weight in weights.items() for _ in range(weight))


_PLAIN_DEEDS = _weighed(_DEEDS)
_ALL_DEEDS = _PLAIN_DEEDS + _weighed(_EDITS)


def _first_step(chance: Chance, limit_s: int) -> Step:
    """It begins at once, or shortly before the provider's limit comes near."""
    wait_ms = 0 if not limit_s else limit_s * 750 - 10_000
    do = chance.pick(("ask", "ask", "ask", "speak", "generate_reply"))
    return Step(do=do, wait_ms=wait_ms + chance.number(20_000 if limit_s else 50), wish=_wish(chance, do))


def _step_of(deeds: Sequence[Deed]) -> Callable[[Chance], Step]:
    def step(chance: Chance) -> Step:
        wait_ms = chance.number(chance.pick((0, 20, 120, 600, 600, 2000, 4000)))
        do = chance.pick(deeds)
        return Step(do=do, wait_ms=wait_ms, which=chance.number(99), wish=_wish(chance, do))

    return step


def _wish(chance: Chance, do: Deed) -> Wish:
    """Most replies are like any other: those may be joined."""
    if do not in {"ask", "generate_reply"} or chance.pick((True, True, False)):
        return Wish()
    beside = do == "generate_reply" and chance.pick((False, True))
    return Wish(
        priority=chance.pick((0, 0, 1, 2)),
        timeout_ms=chance.pick((0, 0, 0, 15, 150, 1000, 6000)),
        special=chance.pick((False, False, True)),
        text=chance.pick((False, False, False, True)),
        beside=beside,
        uninterruptible=not beside and chance.pick((False, False, False, True)),
        other_input=beside and chance.pick((False, True)),
    )


_KINDS: Mapping[Kind, int] = {"say": 8, "write": 1}
_KINDS_THAT_MOVE: Mapping[Kind, int] = {**_KINDS, "call": 1}
_KINDS_WITH_TOOLS: Mapping[Kind, int] = {"say": 5, "write": 1, "call": 4}
_KINDS_OF_AGENTS: Mapping[Kind, int] = {"delegate": 4, "silence": 1}
_WRONG: Mapping[Wrong, int] = {"": 9, "name": 1, "type": 1, "json": 1}


def _agent(chance: Chance) -> Agent:
    return Agent(
        ms=chance.pick((0, 50, 600, 3000, 9000)),
        progress=chance.pick((0, 0, 1, 3)),
        reads=chance.pick((False, True)),
        raises=chance.pick((False, False, False, True)),
        mute=chance.pick((False, False, False, True)),
        grace_ms=chance.pick((0, 0, 200)),
        speaks=chance.pick((False, False, True)),
    )


def _policy(chance: Chance) -> Policy:
    return Policy(
        enabled=chance.pick((True, True, True, False)),
        min_speech_ms=chance.pick((0, 0, 300)),
        min_words=chance.pick((1, 1, 0, 3)),
        pause=chance.pick((True, True, False)),
        decide_ms=chance.pick((2000, 2000, 300)),
    )


def _text(chance: Chance) -> Text:
    if chance.pick((True, True, False)):
        return Text()
    return Text(
        lead_ms=chance.pick((None, None, 1000, 0, -300, -2000)),
        corrected=chance.pick(("", "", "", "other", "more", "fewer")),
        timed=chance.pick((False, False, True)),
        aligner=chance.pick(("even", "fickle", "fickle", "speech")),
        mark=chance.pick((False, True)),
    )


def _function(chance: Chance) -> Function:
    return Function(
        ms=chance.pick((0, 50, 600, 3000, 9000)),
        raises=chance.pick((False, False, False, True)),
        timeout_ms=chance.pick((30_000, 30_000, 30_000, 500)),
        cancels=chance.pick((False, True)),
        replies=chance.pick((True, True, True, False)),
        progress=chance.pick((0, 0, 1, 3)),
        says=chance.pick((False, False, True)),
    )


def _reply_of(kinds: Sequence[Kind]) -> Callable[[Chance], Reply]:
    def reply(chance: Chance) -> Reply:
        ending = chance.pick(("completed",) * 7 + ("failed", "rate_limited", "incomplete"))
        return Reply(
            lines=chance.many(_line_of(kinds), chance.pick((1, 3, 5)), chance.pick((1, 1, 1, 1, 0))),
            ending=ending,
            ends_after_ms=0 if ending == "completed" else chance.pick((0, 100, 700, 3000)),
            batch_done=chance.pick((False, False, False, True)),
        )

    return reply


def _line_of(kinds: Sequence[Kind]) -> Callable[[Chance], Line]:
    def line(chance: Chance) -> Line:
        kind = chance.pick(kinds)
        halt_ms = chance.pick((0,) * 6 + (700, 3000))
        if kind == "write":
            return Line(kind=kind, words=chance.number(4))
        if kind in {"call", "delegate", "silence"}:
            return Line(
                kind=kind,
                words=chance.number(4),
                halt_ms=chance.pick((0, 0, 700, 3000)),
                calls=chance.number(3),
                wrong=chance.pick(_weighed(_WRONG)),
            )
        return Line(
            words=1 + chance.number(chance.pick((2, 5, 9))),
            transcript=chance.pick(("ahead", "ahead", "aligned", "late", "none")),
            silent=chance.pick((False,) * 12 + (True,)),
            halt_ms=halt_ms,
            missing_ms=chance.pick((0,) * 8 + (85, 1500)),
        )

    return line


_LATE = (
    *("conversation.item.truncated",) * 3,
    *("conversation.item.deleted",) * 3,
    "conversation.item.done",
    "response.output_item.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.done",
    "conversation.item.input_audio_transcription.completed",
    "error",
    *("conversation.item.added",) * 8,
)
_REORDERABLE = _LATE[:-8]
"""Late news of where an item stands is wrong by then, if something was put behind its predecessor meanwhile."""
_LOST = (
    *("conversation.item.truncated",) * 4,
    *("conversation.item.deleted",) * 4,
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.done",
)
_TOLD_OF_BESIDE = tuple(event for event in _LOST if event != "response.created")
"""Nothing else tells in time that a response is out of band."""
_TWICE = (*_REORDERABLE, "response.created", "response.output_item.added")
_REFUSED = ("response.create", "conversation.item.truncate", "conversation.item.delete", "conversation.item.create")
_SWALLOWED = ("response.cancel", "response.create")


def _fault_on(late: Sequence[str], lost: Sequence[str]) -> Callable[[Chance], Fault]:
    def fault(chance: Chance) -> Fault:
        what = chance.pick(
            ("late", "late", "late", "lost", "lost", "twice", "refused", "refused", "swallowed", "swallowed", "strange")
        )
        nth = 1 + chance.number(chance.pick((0, 0, 3)))
        match what:
            case "late":
                on, times, ms = chance.pick(late), chance.pick((1, 3, 1000)), chance.pick((1, 40, 600, 6000))
                if on == "conversation.item.added":  # one that overtakes another tells a wrong place
                    nth, times = 1, 1000
                return Fault(what=what, on=on, nth=nth, times=times, ms=ms)
            case "lost":
                return Fault(what=what, on=chance.pick(lost), nth=nth, times=chance.pick((1, 1, 2)))
            case "twice":
                return Fault(what=what, on=chance.pick(_TWICE), nth=nth)
            case "refused":
                on = chance.pick(_REFUSED)
                busy = on == "response.create" and chance.pick((True, True, False))
                return Fault(what=what, on=on, nth=nth, times=chance.pick((1, 1, 3, 1000)), busy=busy)
            case "swallowed":
                return Fault(what=what, on=chance.pick(_SWALLOWED), nth=nth)
            case "strange":
                return Fault(what=what, on=chance.pick(_LATE), nth=nth)

    return fault


def _network(chance: Chance, *, breaks: bool) -> Network:
    return Network(
        up_ms=chance.pick((0, 2, 30, 150)),
        down_ms=chance.pick((0, 2, 30, 150)),
        jitter_ms=chance.pick((0, 0, 30, 200)),
        up_kb_s=chance.pick((0, 0, 0, 200, 30)),
        down_kb_s=chance.pick((0, 0, 0, 400, 80)),
        breaks=chance.many(_break, 2, 1) if breaks else (),
    )


def _break(chance: Chance) -> Break:
    how = chance.pick(("closed", "cut", "half_open", "expired", "no_quota"))
    return Break(at_ms=chance.number(chance.pick((500, 3000, 12_000))), how=how)


def _device(chance: Chance) -> Device:
    return Device(
        latency_ms=chance.pick((0, 0, 20, 150)),
        tail_ms=chance.pick((0, 0, 10, 150)),
        block_ms=chance.pick((0, 0, 10, 40)),
        lag_ms=chance.pick((0, 0, 5, 300, 900, 2500)),
        mute=chance.pick(("",) * 8 + ("progress", "ends", "all")),
        stalls=chance.many(_stall, 2),
        lost_ms=chance.pick((0,) * 9 + (1500,)) and 1 + chance.number(4000),
    )


def _stall(chance: Chance) -> Stall:
    return Stall(at_ms=chance.number(3000), ms=chance.pick((50, 400, 2500)))
