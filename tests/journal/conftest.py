"""How often the test that kills does so."""

import pytest


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--kills")))
