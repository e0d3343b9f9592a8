"""The pages about our charts, as text: what `docs/` must hold. A test fails when it holds anything else."""

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from statecharts.catalog import CHARTS, PROSE, RUN_BY
from statecharts.chart import Chart, name_of
from statecharts.drawing import Format, draw
from statecharts.drawing.diagram import Arrow, diagram
from statecharts.drawing.fields import Field, fields_of

SUFFIXES: dict[Format, str] = {"svg": ".svg", "mermaid": ".mmd", "scxml": ".scxml", "xstate": ".xstate.json"}
MADE = "<!-- Made by `python -m statecharts.drawing docs`. Change the charts, not this page. -->"

INDEX = """\
# Statecharts

What can happen in rtactors is written down in tables, one for each lifecycle, in the package `statecharts`. The tables
run; the pictures on these pages are drawn from them, and so is all that the pages say of states and events.

| chart | is | run by |
| --- | --- | --- |
{rows}

## How to read them

In a picture a label reads `event [guard] / effect`: when the event comes and the guard holds, the line is followed and
the effects are returned, as data for an actor to carry out. `[else]` is taken when no guard before it held. Lines that
meet in a dot share the label beyond it; a dashed line leads back to an earlier state; what stands inside a state
happens without leaving it. A state with a double border is an end.

Below each picture stands what every state does with every event: where it leads, or that it is ignored on purpose, or
**error** if it cannot happen there; then `IllegalEvent` is raised and nothing changes.

`rtactors draw NAME --format svg` gives the pictures too.
"""

PAGE = """\
# {title}

{prose}

It is the table in [`{source}`](../../{source}), and is run by
[`{run_by}`](../../{run_by}). How to read the picture, and the other charts:
[statecharts](../statecharts.md).

![The {name} chart]({name}.svg)

## States

It begins in `{initial}`{ends}.

{states}

## What a state does with an event

{matrix}

## Transitions

Of the same state and event the first is taken whose guard holds.

{transitions}

## Events

{events}
{guards}{effects}
Drawn as {files}.
"""


def pages() -> dict[str, str]:
    """The text of each page and picture, by its path in `docs/`."""
    drawn = {
        f"charts/{name}{suffix}": draw(chart, format_)
        for name, chart in CHARTS.items()
        for format_, suffix in SUFFIXES.items()
    }
    written = {f"charts/{name}.md": _page(chart) for name, chart in CHARTS.items()}
    return {"statecharts.md": _index(), **written, **drawn}


def _index() -> str:
    rows = "\n".join(
        f"| [{name}](charts/{name}.md) | {_summary(PROSE[name])} | [`{RUN_BY[name]}`](../{RUN_BY[name]}) |"
        for name in CHARTS
    )
    return f"{MADE}\n\n{INDEX.format(rows=rows)}"


def _page(chart: Chart[Any, Any]) -> str:
    name, arrows = chart.name, diagram(chart).arrows
    page = PAGE.format(
        name=name,
        title=_title(name),
        prose=PROSE[name],
        source=next(iter(chart.events.values())).__module__.replace(".", "/") + ".py",
        run_by=RUN_BY[name],
        initial=chart.initial,
        ends=f", and ends in {_or(f'`{state}`' for state in chart.final)}" if chart.final else ", and has no end",
        states=_table(["state", "is"], [[f"`{state}`", _cellular(text)] for state, text in chart.states.items()]),
        matrix=_table(
            ["", *chart.states],
            [
                [f"`{name}`", *(_cell(chart, state, event) for state in chart.states)]
                for name, event in chart.events.items()
            ],
        ),
        transitions=_table(["from", "event", "guard", "to", "effects"], map(_transition, arrows)),
        events="\n".join(map(_struct, chart.events.values())),
        guards=_functions("Guards", (edge.guard for edge in chart.edges if edge.guard)),
        effects=_effects(effect for edge in chart.edges for effect in edge.effects),
        files=", ".join(f"[{format_}]({name}{suffix})" for format_, suffix in SUFFIXES.items()),
    )
    return f"{MADE}\n\n{page}"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _summary(prose: str) -> str:
    """Its first paragraph, in one row."""
    return _cellular(prose.partition("\n\n")[0])


def _cellular(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _or(names: Iterable[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} or {last}" if before else last


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _cell(chart: Chart[Any, Any], state: str, event: type[Any]) -> str:
    targets = dict.fromkeys(edge.target for edge in chart.edges_on(state, event))
    return {"handled": " or ".join(targets), "ignored": "ignored", "error": "**error**"}[chart.reaction(state, event)]


def _transition(arrow: Arrow) -> list[str]:
    guard = f"`{arrow.guard}`" if arrow.guard else "else" if arrow.otherwise else ""
    effects = ", ".join(f"`{effect}`" for effect in arrow.effects)
    return [f"`{arrow.source}`", f"`{arrow.event}`", guard, f"`{arrow.target}`", effects]


def _struct(struct: type[Any], by: str = "") -> str:
    """An event or effect: what it is, and what it tells."""
    fields = "".join(f"\n  - {_field(field)}" for field in fields_of(struct))
    return f"- `{struct.__name__}`{by}{_said(struct.__doc__)}{fields}"


def _field(field: Field) -> str:
    default = f" = {field.default}" if field.default else ""
    return f"`{field.name}: {field.type}{default}`{_said(field.meaning)}"


def _said(text: str | None) -> str:
    return f": {' '.join(text.split())}" if text else ""


def _functions(title: str, functions: Iterable[Callable[..., object]]) -> str:
    """Those that say more than their name does."""
    rows = [f"- `{name_of(each)}`{_said(each.__doc__)}" for each in dict.fromkeys(functions) if each.__doc__]
    return "\n".join(["", f"## {title}", "", *rows, ""]) if rows else ""


def _effects(functions: Iterable[Callable[..., object]]) -> str:
    """What they return, which is what actors are told; and by which names the transitions have it."""
    names: dict[type[Any], list[str]] = {}
    for function in dict.fromkeys(functions):
        names.setdefault(get_type_hints(function)["return"], []).append(f"`{name_of(function)}`")
    rows = [_struct(effect, by=f" ({', '.join(by)})") for effect, by in names.items()]
    return "\n".join(["", "## Effects", "", *rows, ""]) if rows else ""
