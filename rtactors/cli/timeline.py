"""A report as a picture: when the user spoke, what the server generated, what of it was heard, and what was done then.

One row for each message, so that nothing covers anything; one SVG for light and for dark, with no script in it and no
font of its own.
"""

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import Literal, TypeAlias

from rtactors.cli.report import Effect, Message, Report
from rtactors.cli.terminal import plain

Colour: TypeAlias = Literal["paper", "ink", "soft", "line", "band", "made", "user", "full", "partial", "skipped"]
Anchor: TypeAlias = Literal["start", "middle", "end"]

PALETTE: dict[Colour, tuple[str, str]] = {
    "paper": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#656d76", "#8d96a0"),
    "line": ("#d8dee4", "#30363d"),
    "band": ("#f6f8fa", "#161b22"),
    "made": ("#8c959f", "#6e7681"),
    "user": ("#8250df", "#b083f0"),
    "full": ("#1a7f37", "#3fb950"),
    "partial": ("#bc6c00", "#e3a33a"),
    "skipped": ("#cf222e", "#f85149"),
}
"""For light and for dark."""

WIDTH = 1000
LEFT, RIGHT = 112, 768
"""Where the time axis begins and ends; the records stand right of it."""
COLUMNS = (("heard", 838), ("server", 910), ("history", 982))
TOP = 88
TEXT_LINE = 17
LETTER = 6.4
"""How wide a letter is at most, on average: fonts differ."""
STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds between two marks of the axis."""
STEP_WIDTH = 44


def draw_timeline(report: Report) -> str:
    """The SVG."""
    picture = _Picture(report)
    body = list(picture.body())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {picture.y:g}" width="{WIDTH}" '
        f'height="{picture.y:g}" role="img" aria-label="{escape(picture.summary)}">'
    )
    return "\n".join((head, _style(), *body, "</svg>", ""))


def _style() -> str:
    def rules(index: int) -> str:
        return "".join(
            f".{name}{{fill:{colours[index]}}}.{name}-edge{{stroke:{colours[index]}}}"
            for name, colours in PALETTE.items()
        )

    return (
        '<style>text{font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif}'
        ".title{font-size:17px;font-weight:600}.small{font-size:11px}.strong{font-weight:600}"
        ".unheard{text-decoration:line-through}.ghost{fill:none;stroke-dasharray:2 3}.dashed{stroke-dasharray:5 4}"
        ".halo{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}"
        f"{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}</style>"
    )


def _text(x: float, y: float, text: str, classes: str = "ink", anchor: Anchor = "start") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text {at} class="{classes} halo paper-edge">{escape(plain(text), quote=False)}</text>'


def _bar(x: float, y: float, width: float, height: float, classes: str) -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" rx="{min(3, height / 2)}"'
    return f'<rect {at} class="{classes}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, classes: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{classes}"/>'


def _seconds(ms: int | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.3f} s"  # noqa: RUF001 - a dash, as in any table


def _spaced(text: str) -> str:
    """One space between words, as in a line that is wrapped."""
    return " ".join(plain(text).split())


class _Picture:
    """`body` draws it from the top down; `y` is how far it has come."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._scale = (RIGHT - LEFT) / (report.duration_ms + 300)
        self._unheard_until: dict[str, float] = {}  # by response: when it would have gone on to, uninterrupted
        self.y = float(TOP)

    @property
    def summary(self) -> str:
        heard = sum(message.heard_ms for message in self._report.messages)
        made = sum(message.generated_ms for message in self._report.messages)
        what = f"{_seconds(made)} of speech were generated, {_seconds(heard)} of it were heard"
        if not self._report.differences:
            return f"{what}; server and chat history hold exactly that."
        count = len(self._report.differences)
        return f"{what}; the record differs in {count} point{'s' if count > 1 else ''}."

    def body(self) -> Iterator[str]:
        rows = [*self._user(), *(line for message in self._report.messages for line in self._message(message))]
        bottom = self.y
        axis = list(self._axis(bottom))
        legend = list(self._legend())
        yield f'<rect width="{WIDTH}" height="{self.y:g}" class="paper"/>'
        yield _text(20, 34, "What was generated, what was heard", "ink title")
        yield _text(20, 55, self.summary, f"small {'skipped' if self._report.differences else 'full'}")
        yield from (_text(x, TOP - 8, name, "soft small", "end") for name, x in COLUMNS)
        yield from axis
        yield from self._interruptions(bottom)
        yield from rows
        yield from legend

    def _x(self, at: float) -> float:
        return min(max(LEFT + at * self._scale, LEFT), RIGHT)

    # ------------------------------------------------------------------------------------------------------- rows

    def _user(self) -> Iterator[str]:
        """What was said into the microphone; a text that has no room above its bar stands below."""
        y, free = self.y, float(LEFT)
        yield _text(20, y + 35, "user", "user strong")
        for turn in self._report.turns:
            start, end = self._x(turn.started_at), self._x(turn.stopped_at)
            yield _bar(start, y + 24, end - start, 14, "user")
            text, width = f"“{turn.text}”", (len(turn.text) + 2) * LETTER
            left = max(LEFT, min(start, RIGHT - width))
            yield _text(left, y + (17 if left >= free else 53), text)
            free = max(free, left + width + LETTER)
        self.y += 60

    def _message(self, message: Message) -> Iterator[str]:
        y = self.y
        lines = wrap(_spaced(message.text), int((RIGHT - LEFT) / LETTER)) or [""]
        bars = y + 8 + TEXT_LINE * len(lines)
        self.y = bars + (52 if message.effects else 38)
        yield _line(20, y, WIDTH - 18, y, "line-edge")
        yield _text(20, y + TEXT_LINE + 3, f"message {message.number}", "ink strong")
        yield _text(20, bars + 19, message.state, f"{self._colour(message)} strong")
        yield from self._words(message, lines, y + TEXT_LINE + 3)
        yield from self._sound(message, bars)
        yield from self._records(message, bars + 19)
        yield from (self._effect(effect, bars) for effect in message.effects)

    def _words(self, message: Message, lines: Sequence[str], y: float) -> Iterator[str]:
        """The text as generated; what of it was not heard is struck out."""
        heard = len(_spaced(message.heard_text))
        for line in lines:
            cut = max(heard, 0)
            here, rest = escape(line[:cut], quote=False), escape(line[cut:], quote=False)
            unheard = f'<tspan class="soft unheard">{rest}</tspan>' if rest else ""
            yield f'<rect x="{LEFT - 3}" y="{y - 12:.1f}" width="{len(line) * LETTER:.1f}" height="16" class="paper"/>'
            yield f'<text x="{LEFT}" y="{y:.1f}" xml:space="preserve" class="ink">{here}{unheard}</text>'
            heard -= len(line) + 1
            y += TEXT_LINE

    def _sound(self, message: Message, y: float) -> Iterator[str]:
        """Thin: generated. Thick: heard. Dashed: would have been heard."""
        if message.generated_from is not None and message.generated_until is not None:
            start, end = self._x(message.generated_from), self._x(message.generated_until)
            yield _bar(start, y, end - start, 4, "made")
        until = self._unheard_until.get(message.response_id, 0.0)
        if message.started_at is not None and message.stopped_at is not None:
            start, end = self._x(message.started_at), self._x(message.stopped_at)
            yield _bar(start, y + 8, end - start, 14, self._colour(message))
            until = float(message.stopped_at)
        missed = message.generated_ms - message.heard_ms
        if missed > 0 and until:
            start, end = self._x(until), self._x(until + missed)
            if end - start > 1:
                yield _bar(start, y + 8.5, end - start, 13, "ghost made-edge")
            self._unheard_until[message.response_id] = until + missed

    def _records(self, message: Message, y: float) -> Iterator[str]:
        values = (message.heard_ms or None, message.server_ms, message.history_ms)
        for (_, x), value in zip(COLUMNS, values, strict=True):
            wrong = abs((value or 0) - message.heard_ms) > 1
            yield _text(x, y, _seconds(value), "skipped strong" if wrong else "ink", "end")

    def _effect(self, effect: Effect, y: float) -> str:
        x, middle = self._x(effect.at), y + 34
        cut = "" if effect.audio_end_ms is None else f" at {_seconds(effect.audio_end_ms)}"
        label = f"{effect.kind}{cut}"
        mark = f'<path d="M{x:.1f} {middle - 5:.1f}l5 5-5 5-5-5z" class="skipped"/>'
        fits = x + 10 + len(label) * LETTER < RIGHT
        return mark + _text(x + (10 if fits else -10), middle + 4, label, "skipped small", "start" if fits else "end")

    def _colour(self, message: Message) -> Colour:
        return message.state if message.state in ("full", "partial", "skipped") else "made"

    # ---------------------------------------------------------------------------------------------- what spans rows

    def _axis(self, bottom: float) -> Iterator[str]:
        seconds = next((step for step in STEPS if step * 1000 * self._scale >= STEP_WIDTH), STEPS[-1])
        for at in range(0, self._report.duration_ms + 1, seconds * 1000):
            x = self._x(at)
            yield _line(x, TOP, x, bottom + 4, "line-edge")
            yield _text(x, bottom + 19, f"{at // 1000} s", "soft small", "middle")
        yield _line(LEFT, bottom, RIGHT, bottom, "soft-edge")
        self.y = bottom + 28

    def _interruptions(self, bottom: float) -> Iterator[str]:
        free = 0.0
        for at in self._report.interrupted_at:
            x = self._x(at)
            yield _line(x, TOP - 3, x, bottom, "skipped-edge dashed")
            if x > free:
                yield _text(x, TOP - 8, "interrupted", "skipped small", "middle")
                free = x + 12 * LETTER

    def _legend(self) -> Iterator[str]:
        y = self.y + 14
        entries = (
            ("the user speaks", _bar, (14, "user")),
            ("generated", _bar, (4, "made")),
            ("heard", _bar, (14, "full")),
            ("heard in part", _bar, (14, "partial")),
            ("generated, never heard", _bar, (13, "ghost made-edge")),
        )
        x = float(LEFT)
        for label, draw, (height, classes) in entries:
            yield draw(x, y - height / 2, 24, height, classes)
            yield _text(x + 30, y + 4, label, "soft small")
            x += 30 + len(label) * LETTER + 18
        self.y += 34
