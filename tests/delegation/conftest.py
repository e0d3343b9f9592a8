"""Tests of a session with a quicksilver server run in virtual time, and over real sockets."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeAlias

import pytest

from tests.delegation.lines import Talk, talk

BeginV1: TypeAlias = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture(params=["memory", pytest.param("sockets", marks=pytest.mark.sockets)])
def begin_v1(request: pytest.FixtureRequest) -> BeginV1:
    """`talk`, in memory or over sockets."""
    return partial(talk, sockets=request.param == "sockets")
