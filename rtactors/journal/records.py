"""What is written into a journal: the ledger's changes, each with its time and a checksum.

A change is not a difference: it tells all of an item as it is now, so that a later one replaces an earlier one of the
same item, and the loss of one costs no other. A record is a checksum of 4 bytes (CRC-32, big-endian) and a msgpack
array `[version, at, epoch, change]`. The checksum covers also whose record it is and its number, so that one which
stands in the wrong place is found, too.
"""

from typing import TypeAlias
from zlib import crc32

from msgspec import DecodeError, Struct, ValidationError, msgpack

from rtactors.errors import ConfigurationError
from rtactors.events import ItemKind, ItemStatus, Role

VERSION = 1
_CHECKSUM_BYTES = 4


class Opened(Struct, frozen=True, tag="opened", omit_defaults=True, gc=False):
    """A process began to write. Whoever wrote before finds the next number taken, and stops."""

    left_out: tuple[int, ...] = ()
    """The numbers of records that it found torn."""


class SavedItem(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What `rtactors.events.Item` says, in words of the journal's own: those change with the protocols, these don't."""

    id: str
    kind: ItemKind = "message"
    role: Role | None = None
    text: str = ""
    status: ItemStatus = "completed"
    phase: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""


class Spoken(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The same for `statecharts.message.ChatMessage`: how a message was heard."""

    heard_text: str
    generated_text: str
    heard_ms: int
    generated_ms: int
    interrupted: bool
    started_at: float | None
    """Seconds of the clock of the session that wrote it."""
    stopped_at: float | None
    confirmed: bool
    voiced: bool = False


class ItemChanged(Struct, frozen=True, tag="item", omit_defaults=True, gc=False):
    """An item of the conversation, as the ledger has it now."""

    item: SavedItem
    after: str
    """The id of the item before it, removed or not; `""` at the front."""
    response_id: str | None = None
    generated_ms: int = 0
    spoken: Spoken | None = None
    """None for what is not spoken, and for what is still pending or playing."""
    removed: bool = False
    handed_over: bool = False
    """Whether the app has it, or it came from there: of a function call, that it may be answered."""


class Heard(Struct, frozen=True, tag="heard", omit_defaults=True, gc=False):
    """A message is being heard: so much of it was. The item's end, when it comes, replaces this."""

    item_id: str
    heard_ms: int
    generated_ms: int
    text: str
    """The text that was heard."""
    started_at: float | None
    """As in `Spoken`."""


Change: TypeAlias = Opened | ItemChanged | Heard


class Record(Struct, frozen=True, array_like=True, gc=False):
    version: int
    at: float
    """When it was written, in unix seconds."""
    epoch: float
    """When the clock of the session that wrote it was 0, in unix seconds."""
    change: Change


class Damage(Exception):
    """A record is not what was written."""


_decoder = msgpack.Decoder(Record)
_encoder = msgpack.Encoder()


def encode(session_id: str, number: int, record: Record) -> bytes:
    """What a journal stores under this number."""
    body = _encoder.encode(record)
    return _checksum(session_id, number, body) + body


def decode(session_id: str, number: int, stored: bytes) -> Record:
    """Raises Damage; and ConfigurationError for what a newer version has written."""
    checksum, body = stored[:_CHECKSUM_BYTES], stored[_CHECKSUM_BYTES:]
    if checksum != _checksum(session_id, number, body):
        raise Damage
    try:
        record = _decoder.decode(body)
    except ValidationError:
        record = None
    except DecodeError as error:
        raise Damage from error
    if record is None or record.version > VERSION:
        raise ConfigurationError(
            f"session {session_id!r} has records in its journal that this rtactors can't read (it knows version "
            f"{VERSION}): resume it with the one that wrote them, or a newer one"
        )
    return record


def _checksum(session_id: str, number: int, body: bytes) -> bytes:
    return crc32(body, crc32(f"{session_id} {number}".encode())).to_bytes(_CHECKSUM_BYTES, "big")
