"""What a drawing shows of a chart, in no format yet: every format is written from this and from nothing else."""

from typing import Any, NamedTuple

from statecharts.chart import Chart, name_of


class State(NamedTuple):
    name: str
    meaning: str
    final: bool
    ignored: tuple[str, ...]
    """The events that it ignores on purpose."""


class Arrow(NamedTuple):
    """One edge, in the order of the table: of the same source and event, the first whose guard holds is taken."""

    source: str
    event: str
    guard: str
    """Empty if it has none."""
    effects: tuple[str, ...]
    target: str
    otherwise: bool
    """True if guarded edges stand before this one: it is taken when none of them holds."""

    @property
    def condition(self) -> str:
        """`[guard]`, or `[else]` where guards were tried before, or nothing."""
        guard = self.guard or ("else" if self.otherwise else "")
        return f"[{guard}]" if guard else ""

    @property
    def outcome(self) -> str:
        """`/ effect, effect`, or nothing."""
        return f"/ {', '.join(self.effects)}" if self.effects else ""

    @property
    def label(self) -> str:
        return " ".join(part for part in (self.event, self.condition, self.outcome) if part)


class Diagram(NamedTuple):
    name: str
    initial: str
    states: tuple[State, ...]
    arrows: tuple[Arrow, ...]


def diagram(chart: Chart[Any, Any]) -> Diagram:
    """The diagram of a chart."""
    states = tuple(
        State(
            name=name,
            meaning=meaning,
            final=name in chart.final,
            ignored=tuple(event.__name__ for event in chart.ignored.get(name, ())),
        )
        for name, meaning in chart.states.items()
    )
    arrows = tuple(
        Arrow(
            source=edge.source,
            event=edge.event.__name__,
            guard=name_of(edge.guard) if edge.guard else "",
            effects=tuple(name_of(effect) for effect in edge.effects),
            target=edge.target,
            otherwise=edge.guard is None and len(chart.edges_on(edge.source, edge.event)) > 1,
        )
        for edge in chart.edges
    )
    return Diagram(chart.name, chart.initial, states, arrows)
