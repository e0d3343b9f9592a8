"""statecharts stay pure: no I/O, no clock, no event loop, and `transitions` in one module alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "statecharts"
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE = {
    *("collections", "contextlib", "dataclasses", "functools", "html", "inspect", "importlib", "itertools"),
    *("json", "math", "msgspec", "statecharts", "textwrap", "typing"),
}


@pytest.mark.parametrize("file", MODULES, ids=[file.relative_to(PACKAGE).as_posix() for file in MODULES])
def test_a_module_imports_nothing_that_acts(file: Path) -> None:
    allowed = set(PURE)
    if file == PACKAGE / "chart.py":
        allowed.add("transitions")
    if file.name == "__main__.py":
        allowed |= {"sys", "pathlib"}
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= allowed


def test_importing_them_brings_no_event_loop() -> None:
    code = "import statecharts.catalog, statecharts.check, statecharts.drawing, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "statecharts.message" in loaded
    assert not {"anyio", "asyncio", "trio", "numpy", "rtactors", "socket"} & set(loaded)
