"""Declare a lifecycle once: run it, check it, draw it.

A `Chart` is a literal table of edges. It runs on one shared flat `transitions.Machine`; what lives through it is a
`Life`, two slots wide. `fire` is synchronous and runs to completion: the life moves and the effects come back as data,
for an actor to carry out. Guards and effects are named pure functions of the event, so the same events always give
the same states and effects. A chart is total: what a state does with an event is known before it comes. It handles it,
it ignores it on purpose, or `fire` raises `IllegalEvent` and nothing happens.

This is the only module that imports `transitions`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, Never, TypeAlias, TypeVar, overload

from transitions import Machine, MachineError

EventT = TypeVar("EventT")
EffectT = TypeVar("EffectT")
EventT_co = TypeVar("EventT_co", covariant=True)
EffectT_co = TypeVar("EffectT_co", covariant=True)

Reaction: TypeAlias = Literal["handled", "ignored", "error"]


class ChartError(Exception):
    """The table itself is wrong; raised when the chart is built."""


class IllegalEvent(Exception):
    """An event came that its state has no edge for. Nothing happened."""

    def __init__(self, chart: str, life: "Life", event: object) -> None:
        super().__init__(f"{chart} {life.id!r} is {life.state}: {event!r} cannot happen there, so nothing was changed")
        self.chart = chart
        self.id = life.id
        self.state = life.state
        self.event = event


class Life:
    """One thing that lives through a chart: its id, and the state it is in."""

    __slots__ = ("id", "state")

    def __init__(self, id: str, state: str) -> None:
        self.id = id
        self.state = state

    def __repr__(self) -> str:
        return f"Life({self.id!r}, {self.state!r})"


class Edge(NamedTuple, Generic[EventT_co, EffectT_co]):
    """From `source`, when `event` comes and `guard` holds, to `target`, returning what `effects` make."""

    source: str
    event: type[EventT_co]
    target: str
    guard: Callable[[Any], bool] | None
    effects: tuple[Callable[[str, Any], EffectT_co], ...]

    @property
    def label(self) -> str:
        """`event [guard] / effect, effect`, as diagrams write it."""
        guard = f" [{name_of(self.guard)}]" if self.guard else ""
        effects = f" / {', '.join(name_of(effect) for effect in self.effects)}" if self.effects else ""
        return f"{self.event.__name__}{guard}{effects}"


def name_of(function: Callable[..., object]) -> str:
    """A guard's or effect's name, as diagrams show it."""
    return getattr(function, "__name__", repr(function))


@overload
def on(
    source: str, event: type[EventT], target: str, *, when: Callable[[EventT], bool] | None = None
) -> Edge[EventT, Never]: ...
@overload
def on(
    source: str,
    event: type[EventT],
    target: str,
    *effects: Callable[[str, EventT], EffectT],
    when: Callable[[EventT], bool] | None = None,
) -> Edge[EventT, EffectT]: ...
def on(
    source: str,
    event: type[EventT],
    target: str,
    *effects: Callable[[str, EventT], EffectT],
    when: Callable[[EventT], bool] | None = None,
) -> Edge[EventT, EffectT]:
    """One row of a table. `when` and `effects` are named functions of this event (effects get the life's id too)."""
    return Edge(source, event, target, when, effects)


class Chart(Generic[EventT, EffectT]):
    """A lifecycle: states with what they mean, and the edges between them.

    The first state is the initial one. Edges of the same state and event are tried in the order of the table, and the
    last has no guard. `ignored` names what a state ignores on purpose; every other event is an error there. Raises
    ChartError if the table is not sound.
    """

    def __init__(
        self,
        name: str,
        *,
        states: Mapping[str, str],
        final: Mapping[str, str],
        edges: Sequence[Edge[EventT, EffectT]],
        ignored: Mapping[str, Sequence[type[EventT]]],
    ) -> None:
        self.name = name
        self.states = {**states, **final}
        self.initial = next(iter(states), "")
        self.final = tuple(final)
        self.edges: tuple[Edge[EventT, EffectT], ...] = tuple(edges)
        self.ignored = {state: tuple(events) for state, events in ignored.items()}
        self.events: dict[str, type[EventT]] = {}
        """Every event that the chart knows, by name, in the order of the table."""
        for event in (*(edge.event for edge in edges), *(event for events in ignored.values() for event in events)):
            if self.events.setdefault(event.__name__, event) is not event:
                raise ChartError(f"chart {name}: two different events are called {event.__name__}")
        self._validate(set(states) & set(final))
        machine = self._build()
        self._ignored = frozenset((state, event) for state, events in self.ignored.items() for event in events)
        # By type, not by name: charts share names such as `Expired`, and another chart's event is illegal here.
        self._triggers = {event: machine.events[name] for name, event in self.events.items()}

    def start(self, id: str) -> Life:
        """A new life, in the initial state."""
        return Life(id, self.initial)

    def fire(self, life: Life, event: EventT) -> tuple[EffectT, ...]:
        """Let the event happen: the life moves, the effects are returned. Raises IllegalEvent; then nothing moved."""
        if (life.state, type(event)) in self._ignored:  # the engine would find that out, too, but not for nothing
            return ()
        effects: list[EffectT] = []
        trigger = self._triggers.get(type(event))
        try:
            moved = trigger is not None and trigger.trigger(life, life.id, event, effects)
        except MachineError:
            moved = False
        if not moved:
            raise IllegalEvent(self.name, life, event)
        return tuple(effects)

    def group(self, *states: str) -> frozenset[str]:
        """Some of its states, to ask `life.state in ...`. Raises ChartError for one that it doesn't have."""
        if unknown := set(states) - self.states.keys():
            raise ChartError(f"chart {self.name} has no state {', '.join(sorted(unknown))}")
        return frozenset(states)

    def reaction(self, state: str, event: type[EventT]) -> Reaction:
        """What a state does with an event, whatever its guards say."""
        if event in self.ignored.get(state, ()):
            return "ignored"
        return "handled" if self.edges_on(state, event) else "error"

    def edges_on(self, state: str, event: type[EventT]) -> tuple[Edge[EventT, EffectT], ...]:
        """The edges of a state for an event, in the order in which they are tried."""
        return tuple(edge for edge in self.edges if edge.source == state and edge.event is event)

    def _build(self) -> Machine:
        machine = Machine(model=None, states=list(self.states), initial=self.initial, auto_transitions=False)
        for edge in self.edges:
            machine.add_transition(
                edge.event.__name__,
                edge.source,
                edge.target,
                conditions=[_condition(edge.guard)] if edge.guard else None,
                before=[_collector(effect) for effect in edge.effects],
            )
        for event in self.events:
            machine.add_transition(event, [], None)  # it may be known only because somebody ignores it
        return machine

    def _validate(self, both: set[str]) -> None:
        problems = [] if self.initial else ["there is no initial state"]
        problems += [f"{state} is both final and not" for state in sorted(both)]
        problems += [
            f"the state {state!r} needs a name of letters, digits and underscores, which every drawing can spell"
            for state in self.states
            if not state.isidentifier()
        ]
        for edge in self.edges:
            unknown = {edge.source, edge.target} - self.states.keys()
            problems += [f"`{edge.label}` names the unknown state {state}" for state in sorted(unknown)]
            if edge.source in self.final:
                problems.append(f"`{edge.label}` leaves the final state {edge.source}")
        for state, events in self.ignored.items():
            if state not in self.states:
                problems.append(f"the unknown state {state} ignores events")
            problems += [
                f"{state} both handles and ignores {event.__name__}" for event in events if self.edges_on(state, event)
            ]
        problems += self._misnamed() + self._ambiguous()
        if not problems:
            problems += self._unreachable()
        if problems:
            raise ChartError(f"chart {self.name}: {'; '.join(problems)}")

    def _misnamed(self) -> list[str]:
        problems: list[str] = []
        known: dict[str, Callable[..., object]] = {}
        for edge in self.edges:
            for function in (*([edge.guard] if edge.guard else []), *edge.effects):
                if not name_of(function).isidentifier():
                    problems.append(f"`{edge.label}` uses a function without a name")
                elif known.setdefault(name_of(function), function) is not function:
                    problems.append(f"two different functions are called {name_of(function)}")
        return problems

    def _ambiguous(self) -> list[str]:
        problems: list[str] = []
        seen: dict[tuple[str, type[EventT]], list[Callable[[Any], bool] | None]] = {}
        for edge in self.edges:
            guards = seen.setdefault((edge.source, edge.event), [])
            if None in guards:
                problems.append(f"`{edge.label}` from {edge.source} can't be reached: an edge before it always holds")
            elif edge.guard in guards:
                problems.append(f"`{edge.label}` from {edge.source} stands there twice")
            guards.append(edge.guard)
        problems += [
            f"{state} may find no edge for {event.__name__}: its last edge needs to be one without a guard"
            for (state, event), guards in seen.items()
            if None not in guards
        ]
        return problems

    def _unreachable(self) -> list[str]:
        onward = {state: {edge.target for edge in self.edges if edge.source == state} for state in self.states}
        reached = _closure({self.initial}, onward)
        problems = [f"{state} can't be reached" for state in self.states if state not in reached]
        problems += [
            f"{state} never ends"
            for state in self.states
            if self.final and not _closure({state}, onward).intersection(self.final)
        ]
        return problems


def _closure(reached: set[str], onward: Mapping[str, set[str]]) -> set[str]:
    while True:
        more = reached.union(*(onward[state] for state in reached))
        if more == reached:
            return reached
        reached = more


def _condition(guard: Callable[[Any], bool]) -> Callable[[str, Any, list[Any]], bool]:
    return lambda _id, event, _effects: guard(event)


def _collector(effect: Callable[[str, Any], Any]) -> Callable[[str, Any, list[Any]], None]:
    # Runs before the state changes: an effect that raises leaves the life where it was.
    return lambda id, event, effects: effects.append(effect(id, event))
