"""What is known of one conversation after it: by the ears, by the server, and by the framework's own history."""

from msgspec import Struct

from rtactors.loopback.voice import Word


class Message(Struct, frozen=True, kw_only=True):
    """A message that the server began to speak."""

    id: str
    mark: int
    words: tuple[Word, ...]
    """With the ms at which each begins."""
    length_ms: float
    """Of all of it, whether it was sent or not."""
    held_ms: float
    """As much of its audio as the server holds by itself, at the most."""
    sent_text: str
    """Its text, as far as the server sent it to the client."""
    prefixes: dict[int, int] = {}
    """CRC-32 of its first so many frames: of those lengths that were heard."""
    connection: int = 0
    """By which connection it was sent."""


class Heard(Struct, frozen=True, array_like=True):
    """What the ears heard of one message, without a gap (`device.Run`)."""

    mark: int
    frames: int
    crc: int


class Item(Struct, frozen=True, kw_only=True):
    """What the server holds, or an entry of the framework's history."""

    id: str
    kind: str
    """`message`, `call` or `output`."""
    role: str = ""
    text: str = ""
    call_id: str = ""
    audio_ms: float = 0
    """Of the server's: how much audio it holds."""
    spoken: bool = False
    """Of the server's: that it is, or was, audio."""
    complete: bool = True


class Truncated(Struct, frozen=True):
    """The client asked for it."""

    item_id: str
    ms: int
    accepted: bool


class Evidence(Struct, frozen=True, kw_only=True):
    side: str
    situation: int
    """Number in `scenes.SITUATIONS`."""
    part: float
    """As in `scenes.Stage`."""
    messages: tuple[Message, ...]
    """In the order in which they were announced, over all connections."""
    heard: tuple[Heard, ...]
    items: tuple[Item, ...]
    """What the server holds at the end, by the last connection."""
    connections: int
    history: tuple[Item, ...]
    truncated: tuple[Truncated, ...]
    errors: tuple[str, ...]
    """What the server answered what the client sent with."""
    queries: tuple[str, ...]
    """What the app's function was called with."""
    answered: bool
    """Whether the agent answered what the user said at last."""
    problem: str
    """What the framework raised, as the app sees it; "" if nothing."""
    late_ms: float
    """How late the side's loop was at the worst: while it was, nobody could stop anything."""
