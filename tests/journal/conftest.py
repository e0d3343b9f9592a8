"""How often the test that kills does so."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", default=10, type=int, help="how often a process that talks is killed")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--kills")))
