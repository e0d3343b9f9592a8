"""The transport actor has a way for everything that a provider can say."""

from typing import get_args

from rtactors import Session
from rtactors.events import ProviderEvent
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import MemorySink


def test_every_provider_event_has_a_route() -> None:
    session = Session(OpenAIRealtime(api_key=""), sink=MemorySink())
    routes = session._actors.transport._routes  # pyright: ignore[reportPrivateUsage]  nobody else may see them
    assert set(routes) == set(get_args(ProviderEvent))
