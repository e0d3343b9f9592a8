"""The catalogue of charts: what every one of them owes its reader."""

from typing import get_type_hints

import pytest

from statecharts.catalog import CHARTS, PROSE


@pytest.mark.parametrize("name", CHARTS)
def test_every_event_effect_and_state_says_what_it_is(name: str) -> None:
    chart = CHARTS[name]
    assert not [event.__name__ for event in chart.events.values() if not event.__doc__]
    effects = {get_type_hints(effect)["return"] for edge in chart.edges for effect in edge.effects}
    assert not [effect.__name__ for effect in effects if not effect.__doc__]
    assert all(chart.states.values())
    assert PROSE[name]
