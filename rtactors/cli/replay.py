"""`rtactors replay`: what was recorded happens again; as a log, or step by step."""

import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from msgspec import Struct, convert, json

from rtactors.cli.ends import FAILED, OK
from rtactors.cli.terminal import Style, Terminal
from rtactors.history import HistoryItem
from rtactors.recording import Recording, lines, read_recording
from rtactors.recording.reading import Recorded
from rtactors.recording.telling import kind_of, sentence, type_of
from rtactors.session_events import CaptionsEnded
from rtactors.subtitles import SubtitleFile
from rtactors.testing.replay import Differs, Moment, replay

PROMPT = "Enter: next, a number: go to that event, e: to the end, q: quit > "
_STYLES: dict[str, Style] = {"sent": "", "published": "strong", "crashed": "bad", "over": "good", "incomplete": "bad"}
"""By kind; the others are faint, being how it happened, not what."""


class Filter(Struct, frozen=True, kw_only=True):
    """Which events are shown: those of which all of this is true. What is empty is true of all."""

    actors: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since: float = float("-inf")
    """Seconds since the recording began, as `until`."""
    until: float = float("inf")

    def shows(self, recorded: Recorded, seconds: float) -> bool:
        event = recorded.event
        return (
            self.since <= seconds <= self.until
            and _meet(self.actors, _actors(event))
            and _meet(self.kinds, {kind_of(event)})
            and _meet(self.types, {type_of(event)})
            and (not self.ids or _meet(self.ids, set(_texts(json.decode(recorded.line)))))
        )


def check(file: Path) -> int:
    """Replay it, and say whether it was the same. Returns the exit code, as all of these."""
    return _replay(read_recording(file), lambda _moment: None)


def caption(file: Path, captions: Path) -> int:
    """Replay it, and write subtitles of what was heard, in seconds since the recording began."""
    recording = read_recording(file)
    with SubtitleFile(captions, began=recording.header.at) as subtitles:

        def after(moment: Moment) -> None:
            match moment.recorded.event:
                case lines.Published(event={"type": CaptionsEnded.__name__} as event):
                    subtitles.write(convert(event, CaptionsEnded))
                case _:
                    pass

        return _replay(recording, after)


def show(file: Path, filter: Filter) -> int:
    """Replay it, with a line for each event."""
    recording = read_recording(file)
    log = _Log(Terminal(sys.stdout), recording)

    def after(moment: Moment) -> None:
        if filter.shows(moment.recorded, log.seconds(moment.recorded)):
            log.print(moment.recorded)

    return _replay(recording, after)


def step(file: Path, filter: Filter) -> int:
    """Replay it, and stop at each event that the filter shows, with the states of all lives and the history so far."""
    recording = read_recording(file)
    log = _Log(Terminal(sys.stdout), recording)
    goal: float = 0

    def after(moment: Moment) -> None:
        nonlocal goal
        if not filter.shows(moment.recorded, log.seconds(moment.recorded)):
            return
        log.print(moment.recorded)
        if moment.recorded.event.n >= goal:
            log.print_state(moment.lives, moment.history())
            goal = _ask()

    try:
        return _replay(recording, after)
    except _Quit:
        return OK


class _Quit(Exception):
    """They have seen enough."""


def _ask() -> float:
    """The number of the event at which to stop next."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the event loop's would wait for a second Ctrl-C
    try:
        while True:
            match input(PROMPT).strip():
                case "":
                    return 0
                case "e":
                    return float("inf")
                case "q":
                    raise _Quit
                case number if number.isdecimal():
                    return int(number)
                case _:
                    pass
    except EOFError:
        raise _Quit from None
    finally:
        signal.signal(signal.SIGINT, before)


def _replay(recording: Recording, after: Callable[[Moment], None]) -> int:
    terminal = Terminal(sys.stdout)
    count = len(recording.events)
    try:
        history = replay(recording, after=after)
    except Differs as differs:
        what = differs.difference
        terminal.print((f"The replay is not what was recorded, from event {what.n} of {count} on:", "bad"))
        if what.field:
            event = f"{what.who} {sentence(recording.events[what.n - 1].event)}"
            terminal.print(("  event:    ", "faint"), (event, ""))
            terminal.print(("  field:    ", "faint"), (what.field, ""))
        terminal.print(("  recorded: ", "faint"), (what.expected, ""))
        terminal.print(("  replayed: ", "faint"), (what.got, ""))
        return FAILED
    for sentence_ in _ends(recording):
        terminal.print((sentence_, "warm"))
    what = f"The replay is what was recorded: {count} events, {len(history)} items in the history, no difference."
    terminal.print((what, "good"))
    return OK


def _ends(recording: Recording) -> Iterator[str]:
    """What is special about its end."""
    last = recording.events[-1].event if recording.events else None
    if recording.torn:
        yield "The last line is torn, and was left away: the process ended, or the disk was full."
    if isinstance(last, lines.Incomplete):
        yield f"The recording ended before the session did: {last.reason}."
    elif not isinstance(last, lines.Over):
        yield "The recording has no end: the process ended before the session did, or the disk was full."
    for recorded in recording.events:
        if isinstance(recorded.event, lines.Crashed):
            yield f"Event {recorded.event.n}: {recorded.event.who} {sentence(recorded.event)}"


class _Log:
    def __init__(self, terminal: Terminal, recording: Recording) -> None:
        self._terminal = terminal
        self._events = recording.events
        self._began = recording.header.at
        self._width = max((len(recorded.event.who) for recorded in recording.events), default=0)

    def seconds(self, recorded: Recorded) -> float:
        """Since the recording began."""
        return recorded.event.at - self._began

    def print(self, recorded: Recorded) -> None:
        event = recorded.event
        taken = self._events[event.sent - 1].event if isinstance(event, lines.Taken) else None
        self._terminal.row(
            (f"{event.n:>6} {self.seconds(recorded):>9.3f}  ", "faint"),
            (f"{event.who:<{self._width}}  ", "live"),
            (sentence(event, taken), _STYLES.get(kind_of(event), "faint")),
        )

    def print_state(self, lives: dict[tuple[str, str], str], history: list[HistoryItem]) -> None:
        by_chart: defaultdict[str, list[str]] = defaultdict(list)
        for (chart, id), state in lives.items():
            by_chart[chart].append(f"{id} {state}")
        for chart, states in by_chart.items():
            self._terminal.print((f"       {chart:<10} ", "faint"), (", ".join(states), ""))
        for item in history:
            said = item.heard_text or item.output or f"{item.name}({item.arguments})" * (item.kind == "function_call")
            heard = f" ({item.heard_ms} of {item.generated_ms} ms)" if item.generated_ms else ""
            self._terminal.print((f"       {item.role or item.kind:<10} ", "faint"), (f"{said}{heard}", "strong"))


def _meet(wanted: frozenset[str], found: set[str]) -> bool:
    return not wanted or not wanted.isdisjoint(found)


def _actors(event: lines.Event) -> set[str]:
    """Who did it, and to whom; a message by its own name and as one of the `message`s."""
    names = {event.who, getattr(event, "to", event.who)}
    return names | {name.partition(" ")[0] for name in names}


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """All that is text in there, and what actors are named for."""
    match value:
        case str():
            yield value
            yield value.rpartition(" ")[2]
        case dict():
            for each in cast("dict[str, Any]", value).values():
                yield from _texts(each)
        case list():
            for each in cast("list[Any]", value):
                yield from _texts(each)
        case _:
            pass
