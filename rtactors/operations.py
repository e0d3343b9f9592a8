"""Ids of operations: what is sent to a server carries one, so that an acknowledgement or an error finds its owner."""

from typing import Literal, TypeAlias

Owner: TypeAlias = Literal["context", "response", "input"]
"""Who sent it: the context actor, the response actor, or the app's own input audio."""


def operation_id(owner: Owner, number: int) -> str:
    return f"{owner}-{number}"


def owner_of(operation_id: str | None) -> str:
    """The owner in an id that a server sent back; "" if there is none."""
    return (operation_id or "").rpartition("-")[0]
