"""Each scenario runs in virtual time, and over real sockets: the same test, on both backends."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeAlias

import pytest

from rtactors.testing.conversation import Conversation, conversation

Begin: TypeAlias = Callable[..., AbstractAsyncContextManager[Conversation]]


@pytest.fixture(params=["memory", pytest.param("sockets", marks=pytest.mark.sockets)])
def begin(request: pytest.FixtureRequest) -> Begin:
    """`conversation`, in memory or over sockets."""
    return partial(conversation, sockets=request.param == "sockets")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", default="0:150", help="which cases of chance to run, first:last (not included)")


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> range:
    """Numbers of cases for `test_sweep`."""
    first, last = str(request.config.getoption("--cases")).split(":")
    return range(int(first), int(last))
