"""`rtactors draw`: a statechart as a picture, or for another tool."""

from difflib import get_close_matches
from pathlib import Path

from msgspec import json

from rtactors import ConfigurationError
from statecharts.catalog import CHARTS
from statecharts.drawing import Format, draw


def list_charts(*, as_json: bool) -> int:
    """Every chart and its states."""
    charts = {name: list(chart.states) for name, chart in CHARTS.items()}
    if as_json:
        print(json.encode(charts).decode())
    else:
        width = max(map(len, charts)) + 2
        for name, states in charts.items():
            print(f"{name:{width}}{', '.join(states)}")
    return 0


def draw_chart(name: str, format: Format, output: Path | None) -> int:
    """To `output`, or to the terminal."""
    chart = CHARTS.get(name)
    if chart is None:
        close = get_close_matches(name, CHARTS, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(CHARTS)}"
        raise ConfigurationError(f"there is no chart {name!r}: {meant}")
    picture = draw(chart, format)
    if output is None:
        print(picture, end="")
        return 0
    if format == "mermaid" and output.suffix.lower() == ".md":
        picture = f"```mermaid\n{picture}```\n"  # as Markdown shows it
    try:
        output.write_text(picture, encoding="utf-8", newline="\n")
    except FileNotFoundError:
        what = f"cannot write to {output}: there is no folder {output.parent}; make it, or choose another --output"
        raise ConfigurationError(what) from None
    except OSError as error:
        raise ConfigurationError(f"cannot write to {output} ({error.strerror}): choose another --output") from None
    return 0
