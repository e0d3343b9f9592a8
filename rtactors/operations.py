"""Ids that we make.

What is sent to a server carries the id of its operation, so that an acknowledgement or an error finds its owner. Items
that begin with us, and requests for replies, have one too.
"""

import re
from typing import Literal, TypeAlias

Owner: TypeAlias = Literal["context", "response", "turn", "input"]
"""Who hears what became of it: the context, response or turn actor, or who sends the app's own input audio."""


def operation_id(owner: Owner, number: int) -> str:
    return f"{owner}-{number}"


def own_id(kind: str, number: int) -> str:
    """Of an item or a request. Servers make none like it; other sessions do, whose history may come to us."""
    return f"rt_{kind}_{number}"


def number_of(id: str) -> int:
    """The number in one of our own ids; 0 for any other."""
    own = re.fullmatch(r"rt_[a-z]+_([0-9]{1,15})", id)
    return int(own[1]) if own else 0


def owner_of(operation_id: str | None) -> str:
    """The owner in an id that a server sent back; "" if there is none."""
    return (operation_id or "").rpartition("-")[0]
