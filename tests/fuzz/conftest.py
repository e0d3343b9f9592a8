"""The option that says how many inputs are tried, and the count at the end."""

import pytest

from tests.fuzz.inputs import tried, wanted


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, help="how many inputs `decode` is given, by chance; others in proportion")


def pytest_configure(config: pytest.Config) -> None:
    """Before the tests are read, which then ask how many."""
    if number := config.getoption("--inputs", None):
        wanted.append(number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what in sorted({what for what, _ in tried}):
        kinds = {kind: number for (each, kind), number in sorted(tried.items()) if each == what}
        parts = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        terminalreporter.write_line(f"fuzzed {what}: {sum(kinds.values())} inputs ({parts})")
