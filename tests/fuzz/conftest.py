"""The option that says how many inputs are tried, and the count at the end."""

from pathlib import Path

import pytest

from tests.fuzz.inputs import tried, wanted

HERE = Path(__file__).parent
PATIENCE_S = 300
"""They take a few seconds each, on a machine that does nothing else."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, help="how many inputs `decode` is given, by chance; others in proportion")


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests are read, which then ask how many."""
    if number := config.getoption("--inputs", None):
        wanted.append(number)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What hangs is ended with all stacks. (Told by an exception, Hypothesis would look for a shorter way to hang.)"""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(0 if wanted else PATIENCE_S, method="thread"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what in sorted({what for what, _ in tried}):
        kinds = {kind: number for (each, kind), number in sorted(tried.items()) if each == what}
        parts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        terminalreporter.write_line(f"fuzzed {what}: {sum(kinds.values())} inputs ({parts})")
