"""The chat history as an app sees it: a projection of the ledger, never written by hand."""

from msgspec import Struct

from rtactors.events import ItemKind, ItemStatus, Role


class HistoryItem(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of the chat history: what was said, by whom, and how much of it was heard.

    `heard_text` is the text that counts. For messages of users and of the system it is what they said.
    """

    id: str
    kind: ItemKind = "message"
    role: Role | None = None
    heard_text: str = ""
    generated_text: str = ""
    interrupted: bool = False
    heard_ms: int = 0
    generated_ms: int = 0
    started_at: float | None = None
    """Seconds of the session's clock, from the sink."""
    stopped_at: float | None = None
    confirmed: bool = True
    """False if the device did not confirm how much was heard; the record is then a lower bound."""
    status: ItemStatus = "completed"
    phase: str | None = None
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str = ""
