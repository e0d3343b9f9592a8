"""A picture that stands alone: no script, no font to fetch, light or dark as its reader's system is.

In a state's box stand its meaning and the edges that stay in it; on a line, the labels of the edges that it draws.
"""

from collections.abc import Iterator
from functools import cache
from html import escape
from textwrap import wrap

from statecharts.drawing.diagram import Arrow, Diagram, State
from statecharts.drawing.layout import Box, Layout, Line

MARGIN = 24.0
PAD = 12.0
ROW = 15.0
"""From one row of text to the next."""
COLUMNS = 30
"""Letters in a row of text, if it can be broken."""
MONO, SANS, NAME = 6.65, 6.2, 9.0
"""Widths of a letter in px: of labels (monospaced, 11 px), and what those of meanings and names seldom exceed."""
ENTRY = 26.0
"""Height of the arrow to the initial state."""

LIGHT = {
    "ground": "#ffffff", "box": "#f6f8fa", "edge": "#818b98", "text": "#1f2328", "soft": "#59636e",
    "event": "#0550ae", "guard": "#953800", "effect": "#116329", "accent": "#0969da", "glow": "#ddf4ff",
}  # fmt: skip
DARK = {
    "ground": "#0d1117", "box": "#161b22", "edge": "#7d8590", "text": "#e6edf3", "soft": "#9198a1",
    "event": "#79c0ff", "guard": "#ffa657", "effect": "#7ee787", "accent": "#4493f8", "glow": "#0c2d6b",
}  # fmt: skip
SHAPES = """
.statechart text { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.statechart .name { font: 600 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.statechart .meaning { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.statechart .box { stroke-width: 1.2; }
.statechart .line { fill: none; stroke-width: 1.2; }
.statechart .rising { stroke-dasharray: 5 3; }
.statechart .active .box { stroke-width: 2.4; }
"""
# Colours stand in the rules themselves: not all that shows SVG knows custom properties.
COLOURS = """
.statechart .name { fill: %(text)s; }
.statechart .meaning { fill: %(soft)s; }
.statechart .ground { fill: %(ground)s; }
.statechart .box { fill: %(box)s; stroke: %(edge)s; }
.statechart .line { stroke: %(edge)s; }
.statechart .head { fill: %(edge)s; }
.statechart .event { fill: %(event)s; }
.statechart .guard { fill: %(guard)s; }
.statechart .effect { fill: %(effect)s; }
.statechart .active .box { fill: %(glow)s; stroke: %(accent)s; }
"""
STYLE = f"{SHAPES}{COLOURS % LIGHT}@media (prefers-color-scheme: dark) {{{COLOURS % DARK}}}\n"

Row = list[tuple[str, str]]
"""One row of text: its pieces, each with its class."""


def svg(diagram: Diagram, active: str | None = None) -> str:
    """The picture as an SVG document; `active` is drawn as the state that something is in now."""
    layout = layout_of(diagram)
    width, height = f"{layout.width + 2 * MARGIN:.0f}", f"{layout.height + 2 * MARGIN + ENTRY:.0f}"
    title, description = f"{diagram.name}-title", f"{diagram.name}-description"
    size = f'width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="statechart" {size} viewBox="0 0 {width} {height}"',
            f'  role="img" aria-labelledby="{title} {description}">',
            f'<title id="{title}">The {diagram.name} chart{f", now {active}" if active else ""}</title>',
            f'<desc id="{description}">{escape(_description(diagram))}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="ground" {size} rx="10"/>',
            f'<g transform="translate({MARGIN:g} {MARGIN + ENTRY:g})">',
            *_lines(layout),
            *(
                _state(box, box.state, initial=box.state.name == diagram.initial, active=box.state.name == active)
                if box.state
                else _texts(box.arrows, box.x - box.width / 2 + PAD / 2, box.y)
                for box in layout.boxes
                if box.width
            ),
            "</g>",
            "</svg>",
            "",
        ]
    )


@cache
def layout_of(diagram: Diagram) -> Layout:
    return Layout(diagram, _size)


def _size(state: State | None, arrows: tuple[Arrow, ...]) -> tuple[float, float]:
    rows = _rows(arrows)
    width = max((sum(len(text) for _, text in row) for row in rows), default=0) * MONO + PAD
    height = len(rows) * ROW
    if state is None:
        return width, height + 4
    meaning = _wrapped(state.meaning)
    width = max(width + PAD, len(state.name) * NAME + 2 * PAD, *(len(row) * SANS + 2 * PAD for row in meaning))
    return width, ROW * (1 + len(meaning)) + 2 * PAD + (height + PAD if arrows else 0)


def _rows(arrows: tuple[Arrow, ...]) -> list[Row]:
    """A row for each edge; one that is too long goes on in further rows, set in, and its effects begin one."""
    rows: list[Row] = []
    for arrow in arrows:
        trigger = [("event", arrow.event), *(("guard", text) for text in arrow.condition.split())]
        outcome = [("effect", text) for text in arrow.outcome.replace("/ ", "/\N{NO-BREAK SPACE}").split(" ") if text]
        packed = [[*trigger, *outcome]] if len(arrow.label) <= COLUMNS else [*_packed(trigger), *_packed(outcome)]
        rows += [_spaced(row, "  " if index else "") for index, row in enumerate(packed)]
    return rows


def _packed(pieces: Row) -> list[Row]:
    rows: list[Row] = []
    for kind, text in pieces:
        if rows and sum(len(before) + 1 for _, before in rows[-1]) + len(text) <= COLUMNS:
            rows[-1].append((kind, text))
        else:
            rows.append([(kind, text)])
    return rows


def _spaced(pieces: Row, start: str) -> Row:
    return [(kind, (" " if index else start) + text) for index, (kind, text) in enumerate(pieces)]


def _wrapped(text: str) -> list[str]:
    """As few rows as there can be, and those of like length."""
    rows = len(wrap(text, COLUMNS))
    return next(wrapped for width in range(1, COLUMNS + 1) if len(wrapped := wrap(text, width)) == rows)


def _state(box: Box, state: State, *, initial: bool, active: bool) -> str:
    left, y = box.x - box.width / 2, box.y + PAD + 11
    parts = [f"<title>{escape(_told(state))}</title>", _rect(box, 0)]
    if state.final:
        parts.append(_rect(box, 3))
    if initial:
        parts.append(f'<circle class="head" cx="{box.x:g}" cy="{box.y - ENTRY + 5:g}" r="5"/>')
        parts.append(f'<path class="line" d="M{box.x:g} {box.y - ENTRY:g}V{box.y - 6:g}"/>{_head(box.x, box.y, 1)}')
    parts.append(f'<text class="name" x="{box.x:g}" y="{y:g}" text-anchor="middle">{state.name}</text>')
    for row in _wrapped(state.meaning):
        y += ROW
        parts.append(f'<text class="meaning" x="{box.x:g}" y="{y:g}" text-anchor="middle">{escape(row)}</text>')
    if box.arrows:
        y += PAD
        parts.append(f'<path class="line" d="M{left:.1f} {y:g}h{box.width:.1f}" stroke-opacity=".5"/>')
        parts.append(_texts(box.arrows, left + PAD, y + 2))
    return f'<g class="{"state active" if active else "state"}">{"".join(parts)}</g>'


def _rect(box: Box, inset: float) -> str:
    x, y, width, height = box.x - box.width / 2 + inset, box.y + inset, box.width - 2 * inset, box.height - 2 * inset
    return f'<rect class="box" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" rx="{9 - inset:g}"/>'


def _texts(arrows: tuple[Arrow, ...], x: float, y: float) -> str:
    texts: list[str] = []
    for row in _rows(arrows):
        y += ROW
        pieces = "".join(f'<tspan class="{kind}">{escape(text)}</tspan>' for kind, text in row)
        texts.append(f'<text x="{x:.1f}" y="{y:g}" xml:space="preserve">{pieces}</text>')
    return "".join(texts)


def _lines(layout: Layout) -> Iterator[str]:
    """Each line from a state or a label as far as none was drawn before: where lines have joined, one goes on."""
    onward = {line.tail: line for line in layout.lines if not line.tail.width}
    for line in layout.lines:
        if line.tail.width:
            down = line.tail.layer < line.tip.layer
            path = f"M{line.xs[line.tail]:g} {_side(line.tail, bottom=down):g}"
            last, step = line, line
            while step:
                path += _turn(step, layout, down=down)
                last, step = step, onward.pop(step.tip, None)
            yield f'<path class="{"line" if down else "line rising"}" d="{path}"/>'
            if not last.tip.width:
                yield f'<circle class="head" cx="{last.tip.x:g}" cy="{_side(last.tip, bottom=not down):g}" r="2.2"/>'
            elif last.tip.state:
                yield _head(last.xs[last.tip], _side(last.tip, bottom=not down), 1 if down else -1)


def _turn(line: Line, layout: Layout, *, down: bool) -> str:
    leave, arrive = layout.bottoms if down else layout.tops, layout.tops if down else layout.bottoms
    y0, y1 = leave[line.tail.layer], arrive[line.tip.layer]
    x0, x1, middle = line.xs[line.tail], line.xs[line.tip], (y0 + y1) / 2
    return f"V{y0:g}C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1:g}V{_side(line.tip, bottom=not down):g}"


def _side(box: Box, *, bottom: bool) -> float:
    return box.y + box.height if bottom else box.y


def _head(x: float, y: float, way: int) -> str:
    return f'<path class="head" d="M{x:g} {y:g}l-4.2 {-8.5 * way:g}l4.2 {1.8 * way:g}l4.2 {-1.8 * way:g}z"/>'


def _told(state: State) -> str:
    return f"{state.name}: {state.meaning}" + (f"; ignores {', '.join(state.ignored)}" if state.ignored else "")


def _description(diagram: Diagram) -> str:
    states = ". ".join(_told(state) for state in diagram.states)
    arrows = ". ".join(f"{arrow.source} to {arrow.target} on {arrow.label}" for arrow in diagram.arrows)
    return f"It begins in {diagram.initial}. {states}. {arrows}."
