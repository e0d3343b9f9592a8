"""The pages about our charts, as text: what `docs/` must hold. A test fails when it holds anything else."""

from typing import Any

from statecharts.catalog import CHARTS, PROSE
from statecharts.chart import Chart
from statecharts.drawing import Format, draw

SUFFIXES: dict[Format, str] = {"svg": ".svg", "mermaid": ".mmd", "scxml": ".scxml", "xstate": ".xstate.json"}

OPENING = """\
<!-- Made by `python -m statecharts.drawing docs`. Change the charts, not this page. -->

# Statecharts

What can happen in rtactors is written down in tables, one for each lifecycle, in the package `statecharts`. The tables
run; the pictures here are drawn from them.

A label reads `event [guard] / effect`: when the event comes and the guard holds, the line is followed and the effects
are returned, as data for an actor to carry out. `[else]` is taken when no guard before it held. Lines that meet in a
dot share the label beyond it; a dashed line leads back to an earlier state; what stands inside a state happens without
leaving it. A state with a double border is an end.

Below each picture stands what every state does with every event: where it leads, or that it is ignored on purpose, or
**error** if it cannot happen there; then `IllegalEvent` is raised and nothing changes.
"""


def pages() -> dict[str, str]:
    """The text of each page and picture, by its path in `docs/`."""
    drawn = {
        f"charts/{name}{suffix}": draw(chart, format_)
        for name, chart in CHARTS.items()
        for format_, suffix in SUFFIXES.items()
    }
    return {"statecharts.md": "\n".join([OPENING, *(_section(chart) for chart in CHARTS.values())]), **drawn}


def _section(chart: Chart[Any, Any]) -> str:
    files = ", ".join(f"[{format_}](charts/{chart.name}{suffix})" for format_, suffix in SUFFIXES.items())
    return f"""\
## {chart.name.replace("_", " ").capitalize()}

{PROSE[chart.name]}

![The {chart.name} chart](charts/{chart.name}.svg)

{_table(chart)}

{_events(chart)}

Drawn as {files}.

<details><summary>Mermaid</summary>

```mermaid
{draw(chart, "mermaid").rstrip()}
```

</details>
"""


def _table(chart: Chart[Any, Any]) -> str:
    rows = [["", *chart.states], ["---"] * (1 + len(chart.states))]
    rows += [
        [f"`{name}`", *(_cell(chart, state, event) for state in chart.states)] for name, event in chart.events.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(chart: Chart[Any, Any], state: str, event: type[Any]) -> str:
    targets = dict.fromkeys(edge.target for edge in chart.edges_on(state, event))
    return {"handled": " or ".join(targets), "ignored": "ignored", "error": "**error**"}[chart.reaction(state, event)]


def _events(chart: Chart[Any, Any]) -> str:
    told = {name: " ".join((event.__doc__ or "").split()) for name, event in chart.events.items()}
    return "\n".join(f"- `{name}`: {text}" for name, text in told.items() if text)
