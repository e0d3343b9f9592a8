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
