"""The garbage collector looks at no struct that can't be part of a cycle: there are many, and its pauses go by that."""

from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct

MODULES = [
    *("rtactors.events", "rtactors.history", "rtactors.mail", "rtactors.session_events", "rtactors.sinks.base"),
    *(
        f"statecharts.{name}"
        for name in (
            *("agent", "call", "connection", "delegation", "interruption", "item", "link", "message", "playback"),
            *("requests", "response", "transcript"),
        )
    ),
]
ATOMS = (str, bytes, int, float, bool, type(None))
ARGUED = {
    "Function": "its parameters are JSON schema",
    "Transition": "holds an event and effects of a chart, which are atoms themselves",
    "ResponseOptions": "its metadata are a dict of texts",
    "ResponseDone": "its usage is JSON, as a server sent it",
}


def can_be_in_a_cycle(of: Any) -> bool:
    origin = get_origin(of)
    if of in ATOMS or of is Ellipsis or origin is Literal:
        return False
    if origin in (Union, UnionType, tuple, frozenset):
        return any(map(can_be_in_a_cycle, get_args(of)))
    return not (isinstance(of, type) and issubclass(of, Struct) and is_left_out(of))


def is_left_out(struct: type[Struct]) -> bool:
    return struct.__struct_config__.frozen and not struct.__struct_config__.gc


STRUCTS = [
    struct
    for module in map(import_module, MODULES)
    for struct in vars(module).values()
    if isinstance(struct, type) and issubclass(struct, Struct) and struct.__module__ == module.__name__
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_the_garbage_collector_looks_at_what_can_be_in_a_cycle_and_at_nothing_else(struct: type[Struct]) -> None:
    holds = any(map(can_be_in_a_cycle, get_type_hints(struct).values()))
    assert is_left_out(struct) == (not holds or struct.__name__ in ARGUED)
