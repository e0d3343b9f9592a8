"""The configuration of an XState (v5) machine, as JSON. Guards and effects (its `actions`) are there by name.

An event that a state ignores is a transition that does nothing; a final state takes no events, so there it is `meta`.
"""

import json
from typing import Any

from statecharts.drawing.diagram import Arrow, Diagram, State


def xstate(diagram: Diagram) -> str:
    """What `createMachine` takes."""
    states = {state.name: _state(state, diagram.arrows) for state in diagram.states}
    return json.dumps({"id": diagram.name, "initial": diagram.initial, "states": states}, indent=2) + "\n"


def _state(state: State, arrows: tuple[Arrow, ...]) -> dict[str, Any]:
    if state.final:
        return {"description": state.meaning, "type": "final", "meta": {"ignored": state.ignored}}
    on: dict[str, Any] = {}
    for arrow in arrows:
        if arrow.source == state.name:
            on.setdefault(arrow.event, []).append(_transition(arrow))
    return {"description": state.meaning, "on": {**on, **{event: {} for event in state.ignored}}}


def _transition(arrow: Arrow) -> dict[str, Any]:
    return {
        "target": arrow.target,
        **({"guard": arrow.guard} if arrow.guard else {}),
        **({"actions": arrow.effects} if arrow.effects else {}),
    }
