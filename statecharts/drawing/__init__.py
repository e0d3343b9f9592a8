"""Drawings of statecharts, from the same table that runs them.

Every format is written from one `Diagram`. `mermaid` and `svg` are pictures and can show the state that something is in
now; `scxml` and `xstate` are for other tools.
"""

from typing import Any, Literal, TypeAlias, get_args

from statecharts.chart import Chart
from statecharts.drawing.diagram import diagram
from statecharts.drawing.mermaid import mermaid
from statecharts.drawing.scxml import scxml
from statecharts.drawing.svg import svg
from statecharts.drawing.xstate import xstate

Format: TypeAlias = Literal["mermaid", "svg", "scxml", "xstate"]
FORMATS: tuple[Format, ...] = get_args(Format)

__all__ = ["FORMATS", "Format", "draw"]


def draw(chart: Chart[Any, Any], format: Format, *, active: str | None = None) -> str:
    """The chart in a format; a picture shows `active` as the state of now.

    Raises ValueError for a format that there is not, for a state that the chart has not, and for `active` where there
    is no picture.
    """
    if active is not None and active not in chart.states:
        raise ValueError(f"chart {chart.name} has no state {active!r}: it has {', '.join(chart.states)}")
    match format:
        case "mermaid":
            return mermaid(diagram(chart), active)
        case "svg":
            return svg(diagram(chart), active)
        case "scxml" | "xstate" if active is not None:
            raise ValueError(f"{format} is no picture, so it can't show an active state")
        case "scxml":
            return scxml(diagram(chart))
        case "xstate":
            return xstate(diagram(chart))
        case _:
            raise ValueError(f"there is no format {format!r}: there are {', '.join(FORMATS)}")
