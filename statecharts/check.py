"""Check a chart by trying everything: each state with every sample of each event.

A chart remembers nothing but its state, so all that can happen in it is finite once its events are: the samples, made
from the fields of the event's type. `check` holds the running machine against its table, `explore` gives every step
for truths of one's own, and `histories` does the same for truths about whole lives, however long ("never two").
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from math import gcd, prod
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import inspect

from statecharts.chart import Chart, Edge, EffectT, EventT, IllegalEvent, Life, name_of

MemoryT = TypeVar("MemoryT", bound=Hashable)

LIMIT = 4096
"""Samples of one event type; if its fields allow more, an even spread of them."""

_GOLDEN = 0.618
"""Steps of this share of a round spread most evenly over it."""

_PLAIN: dict[type[inspect.Type], tuple[Any, ...]] = {
    inspect.NoneType: (None,),
    inspect.BoolType: (False, True),
    inspect.IntType: (0, 1, 2, 48_000),
    inspect.FloatType: (0.0, 1.5),
    inspect.StrType: ("", "words"),
}


class Step(NamedTuple, Generic[EventT, EffectT]):
    """An event came in `state`: the life went to `target`, and `effects` were returned."""

    state: str
    event: EventT
    target: str
    effects: tuple[EffectT, ...]


@cache
def samples(event: type[Any]) -> tuple[Any, ...]:
    """Values of an event type that cover its fields: each bool, each literal, None, a few numbers within their bounds.

    Raises TypeError for a field of any other type than these, str or another Struct, and for what is no Struct.
    """
    described = inspect.type_info(event)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{event.__name__} is not a msgspec Struct, so it has no samples")
    fields = {field.name: _values(field.type, f"{event.__name__}.{field.name}") for field in described.fields}
    return tuple(event(**dict(zip(fields, chosen, strict=True))) for chosen in _spread(list(fields.values())))


def explore(chart: Chart[EventT, EffectT]) -> Iterator[Step[EventT, EffectT]]:
    """Every step that can be taken, from every state. What raises IllegalEvent is no step."""
    for state, event in _pairs(chart):
        life = Life("a", state)
        with suppress(IllegalEvent):
            effects = chart.fire(life, event)
            yield Step(state, event, life.state, effects)


def histories(
    chart: Chart[EventT, EffectT], start: MemoryT, remember: Callable[[MemoryT, Step[EventT, EffectT]], MemoryT]
) -> set[tuple[str, MemoryT]]:
    """All that can be true of a life: the states it can be in, each with what `remember` keeps of the way there.

    `remember` returns the memory after one more step, and may raise on a step that must not be. Lives are followed
    until nothing new can happen to them, so `start` and what comes of it must take finitely many values.
    """
    steps: defaultdict[str, list[Step[EventT, EffectT]]] = defaultdict(list)
    for step in explore(chart):
        steps[step.state].append(step)
    found = {(chart.initial, start)}
    fresh = list(found)
    while fresh:
        state, memory = fresh.pop()
        then = {(step.target, remember(memory, step)) for step in steps[state]} - found
        found |= then
        fresh += then
    return found


def check(chart: Chart[Any, Any]) -> list[str]:
    """What is wrong with a chart, in sentences; empty if it is sound.

    Sound means: every event does what its row says and nothing else, twice over; an illegal one changes nothing; no
    guard or effect raises; every edge is taken by some event, every guard is seen to hold and to fail; each state can
    be reached, and from each an end (if the chart has one) that is never left.
    """
    problems: dict[object, str] = {}  # one example of each kind
    seen: set[tuple[Edge[Any, Any], bool]] = set()
    onward: dict[str, set[str]] = {state: {state} for state in chart.states}
    for state, event in _pairs(chart):
        where = f"in {state}, {event}"
        try:
            edge = _edge(chart, state, event, seen)
            wanted = _wanted(chart, state, event, edge)
            got = [_fired(chart, state, event) for _ in range(2)]
        except Exception as error:  # noqa: BLE001 - whatever a guard or effect raises is a finding
            problems.setdefault((state, event.__class__, "raises"), f"{where} raises {error!r}")
        else:
            onward[state].add(got[0][0])
            if got != [wanted, wanted]:
                problems.setdefault((state, event.__class__), f"{where} should give {wanted}, and gave {got}")
    for edge in chart.edges:
        if (edge, True) not in seen:
            problems[edge] = f"in {edge.source}, no event takes `{edge.label}`"
        elif edge.guard and (edge, False) not in seen:
            problems[edge] = f"in {edge.source}, {name_of(edge.guard)} of `{edge.label}` always holds"
    return [*problems.values(), *_dead_ends(chart, onward)]


def _pairs(chart: Chart[EventT, Any]) -> Iterator[tuple[str, EventT]]:
    return ((state, event) for state in chart.states for type_ in chart.events.values() for event in samples(type_))


def _edge(
    chart: Chart[Any, Any], state: str, event: object, seen: set[tuple[Edge[Any, Any], bool]]
) -> Edge[Any, Any] | None:
    for edge in chart.edges_on(state, type(event)):
        holds = edge.guard is None or edge.guard(event)
        seen.add((edge, holds))
        if holds:
            return edge
    return None


def _wanted(chart: Chart[Any, Any], state: str, event: object, edge: Edge[Any, Any] | None) -> tuple[str, object]:
    if edge:
        return edge.target, tuple(effect("a", event) for effect in edge.effects)
    return state, () if chart.reaction(state, type(event)) == "ignored" else IllegalEvent


def _fired(chart: Chart[Any, Any], state: str, event: object) -> tuple[str, object]:
    life = Life("a", state)
    try:
        effects = chart.fire(life, event)
    except IllegalEvent:
        return life.state, IllegalEvent
    return life.state, effects


def _dead_ends(chart: Chart[Any, Any], onward: dict[str, set[str]]) -> Iterator[str]:
    for _ in chart.states:  # as many rounds as the longest way can have steps
        onward = {state: set[str]().union(*(onward[next_] for next_ in targets)) for state, targets in onward.items()}
    for state, targets in onward.items():
        if state not in onward[chart.initial]:
            yield f"no event leads to {state}"
        if chart.final and not targets.intersection(chart.final):
            yield f"from {state}, no event leads to an end"


def _values(type_: inspect.Type, where: str) -> tuple[Any, ...]:
    match type_:
        case inspect.IntType() | inspect.FloatType():
            return tuple(value for value in _PLAIN[type(type_)] if _within(value, type_))
        case inspect.LiteralType():
            return tuple(type_.values)
        case inspect.StructType():
            return samples(type_.cls)
        case inspect.UnionType():
            return tuple(value for part in type_.types for value in _values(part, where))
        case _ if type(type_) in _PLAIN:
            return _PLAIN[type(type_)]
        case _:
            raise TypeError(f"{where} is of a type that has no samples: events hold plain values and Structs")


def _within(value: float, type_: inspect.IntType | inspect.FloatType) -> bool:
    return not (
        (type_.gt is not None and value <= type_.gt)
        or (type_.ge is not None and value < type_.ge)
        or (type_.lt is not None and value >= type_.lt)
        or (type_.le is not None and value > type_.le)
    )


def _spread(values: list[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """All choices of one value each, or LIMIT of them, in strides that wander through every field."""
    total = prod(map(len, values))
    stride = 1 if total <= LIMIT else next(n for n in range(int(total * _GOLDEN), total) if gcd(n, total) == 1)
    for number in islice((n * stride % total for n in range(total)), LIMIT):
        chosen: list[Any] = []
        rest = number
        for options in values:
            rest, index = divmod(rest, len(options))
            chosen.append(options[index])
        yield chosen
