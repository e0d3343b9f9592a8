"""Where everything stands in a picture: a small layered layout, the same for the same diagram every time.

States stand in layers, in the order of their declaration: an edge to a later state leads down, any other leads up.
Edges that do the same (same label, same target) are drawn as one: their lines join on the way to a common label, and
one arrow goes on to the target. So a label stands once, however many states share it. Lines turn between two layers;
through a layer a line runs straight, in a slot of its own, so that no line touches a text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, combinations, pairwise
from math import inf

from statecharts.drawing.diagram import Arrow, Diagram, State

GAP = 24.0
"""Between two boxes side by side, in px as all lengths here."""
SLOT = 16.0
"""Between two lines side by side."""
TURN = 34.0
"""Between two layers."""

STARTS, SWEEPS, ROUNDS = 24, 4, 60
"""How long is searched: orders to begin with, sortings of each, movements of the best. More finds nothing better."""


@dataclass(eq=False)
class Box:
    """Something with a place: a state, a label, or (without width) the slot where a line passes a layer."""

    layer: int
    width: float = 0.0
    height: float = 0.0
    state: State | None = None
    arrows: tuple[Arrow, ...] = ()
    """The edges that a label stands for; of a state, those that stay in it."""
    x: float = 0.0
    """Of its middle."""
    y: float = 0.0
    """Of its top."""
    above: list["Box"] = field(default_factory=list["Box"])
    below: list["Box"] = field(default_factory=list["Box"])


@dataclass(eq=False)
class Line:
    """From one box to another in the next layer, up or down; `xs` are where it meets each."""

    tail: Box
    tip: Box
    xs: dict[Box, float]

    def other(self, box: Box) -> Box:
        return self.tip if box is self.tail else self.tail


class Layout:
    """The boxes and lines of a diagram in their places. `measure` gives the (width, height) of a state or a label."""

    def __init__(
        self, diagram: Diagram, measure: Callable[[State | None, tuple[Arrow, ...]], tuple[float, float]]
    ) -> None:
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self._ways: list[list[Box]] = []
        self._measure = measure
        states: dict[str, Box] = {}
        for state, layer in _layers(diagram).items():
            inner = tuple(arrow for arrow in diagram.arrows if arrow.source == arrow.target == state.name)
            states[state.name] = self._add(Box(layer, *measure(state, inner), state, inner))
        for sources, arrows in _shared(diagram):
            self._connect([states[source] for source in sources], arrows, states[arrows[0].target])
        for box in states.values():
            box.width = max(box.width, SLOT * (1 + max(len(box.above), len(box.below))))
        depth = 1 + max(box.layer for box in self.boxes)
        self.layers = [[box for box in self.boxes if box.layer == layer] for layer in range(depth)]
        self._order()
        self._place_x()
        self._place_y()
        self._end_lines()
        self.tops = [min(box.y for box in row) for row in self.layers]
        self.bottoms = [max(box.y + box.height for box in row) for row in self.layers]
        self.width = max(box.x + box.width / 2 for box in self.boxes)
        self.height = self.bottoms[-1]

    def _add(self, box: Box) -> Box:
        self.boxes.append(box)
        return box

    def _connect(self, sources: list[Box], arrows: tuple[Arrow, ...], target: Box) -> None:
        """Lines from the sources join on the way to a label, just beyond the nearest of them; one goes on."""
        step = 1 if sources[0].layer < target.layer else -1
        layers = [source.layer for source in sources]
        far, near = (min(layers), max(layers))[::step]
        joining = [self._add(Box(layer)) for layer in range(far + step, near + step, step)]
        label = self._add(Box(near + step, *self._measure(None, arrows), None, arrows))
        going_on = [self._add(Box(layer)) for layer in range(near + 2 * step, target.layer, step)]
        way = [*joining, label, *going_on]
        self._ways.append(way)
        for source in sources:
            self._link(source, way[abs(source.layer - far)])
        for tail, tip in pairwise([*way, target]):
            self._link(tail, tip)

    def _link(self, tail: Box, tip: Box) -> None:
        self.lines.append(Line(tail, tip, {}))
        upper, lower = (tail, tip) if tail.layer < tip.layer else (tip, tail)
        upper.below.append(lower)
        lower.above.append(upper)

    def _order(self) -> None:
        """Sort each layer so that few lines cross, from several orders to begin with."""
        best, fewest = self.layers, inf
        for start in range(STARTS):
            shuffled = {box: number * (2 * start + 1) % 257 for number, box in enumerate(self.boxes)}
            rows = [sorted(row, key=lambda box: shuffled[box]) for row in self.layers]
            for sweep in range(SWEEPS):
                _sort(rows, down=sweep % 2 == 0)
                _swap(rows)
                if (crossings := _crossings(rows)) < fewest:
                    best, fewest = [list(row) for row in rows], crossings
        self.layers = best

    def _place_x(self) -> None:
        """Each box as near to its neighbours as its layer allows; then long lines are made straight."""
        for sweep in range(ROUNDS):
            for row in self.layers if sweep % 2 else self.layers[::-1]:
                wanted = [[(other.x, _pull(box, other)) for other in (*box.above, *box.below) or (box,)] for box in row]
                gaps = [_distance(one, other) for one, other in pairwise(row)]
                for box, x in zip(row, _settle(wanted, gaps), strict=True):
                    box.x = x
        for _ in range(4):
            for way in self._ways:
                self._straighten(way)
        left = min(box.x - box.width / 2 for box in self.boxes)
        for box in self.boxes:
            box.x = round(box.x - left)

    def _straighten(self, way: list[Box]) -> None:
        """Put the boxes of a way above one another, as far as the others in their layers leave room for it."""
        run: list[Box] = []
        room = (-inf, inf)
        for box in way:
            low, high = self._room(box)
            if max(room[0], low) > min(room[1], high):
                _align(run, room)
                run, room = [], (-inf, inf)
            run.append(box)
            room = max(room[0], low), min(room[1], high)
        _align(run, room)

    def _room(self, box: Box) -> tuple[float, float]:
        row = self.layers[box.layer]
        index = row.index(box)
        low = row[index - 1].x + _distance(row[index - 1], box) if index else -inf
        high = row[index + 1].x - _distance(box, row[index + 1]) if index + 1 < len(row) else inf
        return min(low, box.x), max(high, box.x)

    def _place_y(self) -> None:
        top = 0.0
        for row in self.layers:
            height = max(box.height for box in row)
            for box in row:
                box.height = box.height if box.width else height
                box.y = top + (height - box.height) / 2
            top += height + TURN

    def _end_lines(self) -> None:
        """A line meets a label in its middle, and a state where it is straight, if there is room beside the others."""
        for line in self.lines:
            line.xs = {line.tail: line.tail.x, line.tip: line.tip.x}
        for box in self.boxes:
            for side in (box.above, box.below) if box.state else ():
                lines = [line for line in self.lines if box in line.xs and line.other(box) in side]
                lines.sort(key=lambda line: line.other(box).x)
                xs = _spread(box, [line.other(box).x for line in lines])
                for line, x in zip(lines, xs, strict=True):
                    line.xs[box] = x


def _layers(diagram: Diagram) -> dict[State, int]:
    """The layer of each state: below all states before it that it has an edge with. Labels stand in between."""
    layers: dict[str, int] = {}
    for state in diagram.states:
        near = {arrow.source for arrow in diagram.arrows if arrow.target == state.name}
        near |= {arrow.target for arrow in diagram.arrows if arrow.source == state.name}
        layers[state.name] = max((layers[name] + 2 for name in near if name in layers), default=0)
    return {state: layers[state.name] for state in diagram.states}


def _shared(diagram: Diagram) -> list[tuple[tuple[str, ...], tuple[Arrow, ...]]]:
    """The sources of each label, with the edges that it stands for: one of each that are the same from all of them."""
    order = [state.name for state in diagram.states]
    same: dict[tuple[str, bool, str], list[Arrow]] = {}
    for arrow in diagram.arrows:
        if arrow.source != arrow.target:
            down = order.index(arrow.source) < order.index(arrow.target)
            same.setdefault((arrow.target, down, arrow.label), []).append(arrow)
    stacked: dict[tuple[str, bool, tuple[str, ...]], list[Arrow]] = {}
    for (target, down, _), arrows in same.items():
        stacked.setdefault((target, down, tuple(arrow.source for arrow in arrows)), []).append(arrows[0])
    return [(sources, tuple(arrows)) for (_, _, sources), arrows in stacked.items()]


def _sort(rows: list[list[Box]], *, down: bool) -> None:
    """Sort each layer by the middle of the neighbours in the layer before it."""
    at = {box: index for row in rows for index, box in enumerate(row)}
    for row in rows if down else rows[::-1]:
        near = {box: (box.above if down else box.below) or [box] for box in row}
        row.sort(key=lambda box: sum(at[other] for other in near[box]) / len(near[box]))
        at.update({box: index for index, box in enumerate(row)})


def _swap(rows: list[list[Box]]) -> None:
    """Swap neighbours in a layer for as long as that takes crossings away."""
    at = {box: index for row in rows for index, box in enumerate(row)}
    better = True
    while better:
        better = False
        for row in rows:
            for index, (one, other) in enumerate(pairwise(tuple(row))):
                if row[index] is one and _crossed(other, one, at) < _crossed(one, other, at):
                    row[index : index + 2] = other, one
                    at[other], at[one] = index, index + 1
                    better = True


def _crossings(rows: list[list[Box]]) -> int:
    at = {box: index for row in rows for index, box in enumerate(row)}
    return sum(_crossed(one, other, at) for row in rows for one, other in combinations(row, 2)) // 2


def _crossed(left: Box, right: Box, at: dict[Box, int]) -> int:
    """How often the lines of two boxes of a layer cross, if the boxes stand in this order."""
    above = sum(at[one] > at[other] for one in left.above for other in right.above)
    return above + sum(at[one] > at[other] for one in left.below for other in right.below)


def _distance(left: Box, right: Box) -> float:
    return (left.width + right.width) / 2 + (GAP if left.width and right.width else SLOT)


def _pull(box: Box, other: Box) -> float:
    return (1.0, 3.0, 9.0)[(not box.width) + (not other.width)]


def _align(run: list[Box], room: tuple[float, float]) -> None:
    x = sum(box.x for box in run) / len(run)
    for box in run:
        box.x = min(max(x, room[0]), room[1])


def _spread(box: Box, wanted: list[float]) -> list[float]:
    """Where lines end on a side of a box, from left to right: next to `wanted`, and SLOT apart."""
    left, right = box.x - box.width / 2 + SLOT, box.x + box.width / 2 - SLOT * len(wanted)
    places = _settle([[(x, 1.0)] for x in wanted], [SLOT] * (len(wanted) - 1))
    return [min(max(x, left + index * SLOT), right + index * SLOT) for index, x in enumerate(places)]


def _settle(wanted: Sequence[Sequence[tuple[float, float]]], gaps: Sequence[float]) -> list[float]:
    """Places in a row, at least `gaps` apart, nearest to the `wanted` (place, weight) of each: isotonic regression."""
    offsets = list(accumulate(gaps, initial=0.0))[: len(wanted)]
    blocks: list[tuple[list[tuple[float, float]], int]] = []
    for points, offset in zip(wanted, offsets, strict=True):
        block = ([(x - offset, weight) for x, weight in points], 1)
        while blocks and _middle(blocks[-1][0]) > _middle(block[0]):
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1])
        blocks.append(block)
    places = [_middle(points) for points, count in blocks for _ in range(count)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


def _middle(points: Sequence[tuple[float, float]]) -> float:
    return sum(x * weight for x, weight in points) / sum(weight for _, weight in points)
