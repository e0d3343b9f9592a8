"""Who may import whom. The tables below are the building plan: a new room gets its line there, or the tests fail.

A *module* is a file; a *room* is a folder or a lone file of `rtactors` (`rtactors.sinks`, `rtactors.ledger`), or all of
`statecharts`; a *floor* holds rooms. All imports count, also those inside functions; only what stands under
`if TYPE_CHECKING:` doesn't, since it never runs.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# From the top. Imports run down, or sideways to a room that doesn't look back.
FLOORS = {
    "tools": ["rtactors.cli", "rtactors.testing"],
    "door": ["rtactors"],  # what `import rtactors` gives, and nothing else
    "session": ["rtactors.ensemble", "rtactors.session", "rtactors.wanted"],
    "workers": [
        "rtactors.actors",
        "rtactors.delegation",
        "rtactors.loopback",
        "rtactors.recording",
        "rtactors.subtitles",
        "rtactors.tools",
    ],
    "contracts": [
        "rtactors.arguments",
        "rtactors.companion",
        "rtactors.interruption_rule",
        "rtactors.journal",
        "rtactors.ledger",
        "rtactors.mail",
        "rtactors.microphone",
        "rtactors.pipeline",
        "rtactors.providers",
        "rtactors.ring",
        "rtactors.sinks",
        "rtactors.transports",
        "rtactors.voices",
    ],
    "words": [
        "rtactors.actor",
        "rtactors.alignment",
        "rtactors.causes",
        "rtactors.channels",
        "rtactors.content",
        "rtactors.discretion",
        "rtactors.errors",
        "rtactors.espeak",
        "rtactors.event_stream",
        "rtactors.events",
        "rtactors.flag",
        "rtactors.history",
        "rtactors.interruption",
        "rtactors.limits",
        "rtactors.operations",
        "rtactors.portaudio",
        "rtactors.punctuation",
        "rtactors.reminders",
        "rtactors.reply",
        "rtactors.resample",
        "rtactors.session_events",
        "rtactors.transcript",
        "rtactors.user_audio",
    ],
    "charts": ["statecharts"],
}

# Rooms that may not use all of what lies below them, but only these modules and what is inside them.
ONLY = {
    # Actors know providers, sinks and sockets by their protocols, never one by name.
    "rtactors.actors": [
        "rtactors.actors",
        "rtactors.journal.base",
        "rtactors.journal.recall",
        "rtactors.journal.records",
        "rtactors.ledger",
        "rtactors.mail",
        "rtactors.ring",
        *FLOORS["words"],
        *FLOORS["charts"],
        "rtactors.providers.base",
        "rtactors.sinks.base",
        "rtactors.transports.base",
    ],
    # The embedded server shares the words of the wire with the client side, and nothing that decides; otherwise a
    # mistake made once would be on both sides, and hidden.
    "rtactors.loopback": [
        "rtactors.loopback",
        "rtactors.errors",
        "rtactors.espeak",
        "rtactors.resample",
        "rtactors.providers.base",
        "rtactors.providers.openai.wire",
        "rtactors.providers.quicksilver.wire",
        "rtactors.transports",
    ],
}

# Packages from outside that belong to these modules alone.
OWNERS: dict[str, set[str]] = {
    "transitions": {"statecharts.chart"},
    "asyncio": {"rtactors.testing.clock", "rtactors.transports.direct", "rtactors.transports.websocket"},
    "trio": {"rtactors.loopback.websocket", "rtactors.testing.clock"},
}

# Loaded inside the functions that need them, so that `import rtactors` is quick and extras stay optional.
LATE = {"espeakng_loader", "numpy", "pocketsphinx", "sounddevice", "trio", "uvloop"}

# All that statecharts may import: what does no I/O, knows no clock and rolls no dice. (Its command writes the docs, and
# the pages there tell of the tables' own source.)
PURE = {
    "abc",
    "ast",
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "html",
    "inspect",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "string",
    "textwrap",
    "types",
    "typing",
    "xml",
    "msgspec",
    "statecharts",
    "transitions",
}


class Import(NamedTuple):
    module: str
    line: int
    late: bool
    """True if it stands inside a function."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for package in ("rtactors", "statecharts") for path in (ROOT / package).rglob("*.py")}


def imports_of(module: str) -> Iterator[Import]:
    """What a module imports; `from package import name` is the module `package.name` if there is one."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def walk(node: ast.AST, *, late: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    pass
                case ast.Import():
                    yield from (Import(alias.name, child.lineno, late) for alias in child.names)
                case ast.ImportFrom():
                    source = resolve_name("." * child.level + (child.module or ""), package)
                    names = {f"{source}.{alias.name}" for alias in child.names}
                    yield from {Import(name if name in FILES else source, child.lineno, late) for name in names}
                case _:
                    inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                    yield from walk(child, late=late or inside)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), late=False)


IMPORTS = {module: sorted(imports_of(module)) for module in FILES}
OURS = [(module, found) for module, all_found in IMPORTS.items() for found in all_found if found.module in FILES]
OUTSIDE = [(module, found) for module, all_found in IMPORTS.items() for found in all_found if found.module not in FILES]
LEVEL = {room: level for level, rooms in enumerate(FLOORS.values()) for room in rooms}


def room(module: str) -> str:
    """`rtactors.sinks.base` is in the room `rtactors.sinks`."""
    package, *rest = module.split(".")
    return f"{package}.{rest[0]}" if rest and package == "rtactors" else package


def top(module: str) -> str:
    return module.partition(".")[0]


def inside(module: str, others: list[str]) -> bool:
    return any(f"{module}.".startswith(f"{other}.") for other in others)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The way round, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def told(offences: list[tuple[str, Import]]) -> str:
    return "\n".join(f"{module}, line {found.line}, imports {found.module}" for module, found in offences)


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_floor(module: str) -> None:
    assert room(module) in LEVEL, f"give the room {room(module)} a place in FLOORS"


@pytest.mark.parametrize("floor", FLOORS)
def test_the_page_has_the_same_floors(floor: str) -> None:
    """All rooms of each, or some of them, if its row ends with `...`."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"^\| {floor} \| (`.+?) \|", page, re.MULTILINE)
    told, there = set(re.findall(r"`(\w+)`", row)), {each.removeprefix("rtactors.") for each in FLOORS[floor]}
    assert told <= there if row.endswith("...") else told == there


def test_imports_run_down() -> None:
    up = [(module, found) for module, found in OURS if LEVEL[room(found.module)] < LEVEL[room(module)]]
    assert not up, told(up)


def test_modules_import_in_no_circle() -> None:
    assert not circle({module: {found.module for found in IMPORTS[module]} for module in FILES})


def test_rooms_import_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, found in OURS:
        if room(module) != room(found.module):
            graph.setdefault(room(module), set()).add(room(found.module))
    assert not circle(graph)


def test_a_circle_would_be_found() -> None:
    assert not circle({"a": {"b", "c"}, "b": {"c"}})
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})


@pytest.mark.parametrize("here", ONLY)
def test_rooms_keep_their_distance(here: str) -> None:
    wrong = [(module, found) for module, found in OURS if room(module) == here and not inside(found.module, ONLY[here])]
    assert not wrong, told(wrong)


def test_packages_stay_with_their_owners() -> None:
    strangers = [(module, found) for module, found in OUTSIDE if module not in OWNERS.get(top(found.module), {module})]
    assert not strangers, told(strangers)


def test_heavy_packages_are_imported_late() -> None:
    early = [(module, found) for module, found in OUTSIDE if top(found.module) in LATE and not found.late]
    assert not early, told(early)


def test_statecharts_are_pure() -> None:
    impure = [
        (module, found)
        for module, all_found in IMPORTS.items()
        for found in all_found
        if room(module) == "statecharts" and not module.endswith("__main__") and top(found.module) not in PURE
    ]
    assert not impure, told(impure)


def test_import_rtactors_is_light() -> None:
    heavy = LATE | {"openai", "websockets"}
    script = f"import sys, rtactors; print(*({heavy} & sys.modules.keys()))"
    loaded = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    assert not loaded.split()
