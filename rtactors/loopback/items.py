"""Between the wire's items and the conversation's entries. Pure; what a client may not create is `Rejected`."""

from typing import cast

from rtactors.loopback.conversation import Entry, ItemType, Part, PartType, Rejected, Role
from rtactors.providers.openai import wire

LONGEST_ID = 32
_PARTS: dict[str, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text",),
}


def to_wire(entry: Entry, *, audio: bool = False) -> wire.Item:
    """The item as events show it; its audio only if asked for."""
    item = wire.Item(type=entry.type, id=entry.id, object="realtime.item", status=entry.status)
    if entry.type == "message":
        item.role = entry.role
        item.content = [_part(part, audio=audio) for part in entry.content]
        item.phase = entry.phase or wire.UNSET
    elif entry.type == "function_call":
        item.name, item.call_id, item.arguments = entry.name, entry.call_id, entry.arguments
    else:
        item.call_id, item.output = entry.call_id, entry.output
    return item


def _part(part: Part, *, audio: bool) -> wire.ContentPart:
    if part.type in {"input_audio", "output_audio"}:
        held = bytes(part.audio) if audio else wire.UNSET
        return wire.ContentPart(type=part.type, transcript=part.text, audio=held)
    return wire.ContentPart(type=part.type, text=part.text)


def from_wire(item: wire.Item, item_id: str) -> Entry:
    """The item that a client wants to have created; `item_id` is for one that brings none."""
    if item.id and len(item.id) > LONGEST_ID:
        message = f"Invalid 'item.id': string too long. Expected a string with maximum length {LONGEST_ID}."
        raise Rejected("string_above_max_length", message, "item.id")
    item_id = item.id or item_id
    match item.type:
        case "message":
            if item.role not in _PARTS:
                raise _unsupported("item.role", item.role, tuple(_PARTS))
            role = cast("Role", item.role)
            content = [_entry_part(part, role, index) for index, part in enumerate(item.content or [])]
            return Entry(id=item_id, role=role, content=content, phase=item.phase or None)
        case "function_call":
            name, call_id = _present(item.name, "item.name"), item.call_id or f"call_{item_id}"
            return Entry(id=item_id, type="function_call", name=name, call_id=call_id, arguments=item.arguments or "")
        case "function_call_output":
            call_id = _present(item.call_id, "item.call_id")
            return Entry(id=item_id, type="function_call_output", call_id=call_id, output=item.output or "")
        case _:
            raise _unsupported("item.type", item.type, ItemType.__args__)


def _entry_part(part: wire.ContentPart, role: Role, index: int) -> Part:
    path = f"item.content[{index}]"
    if role == "assistant" and part.type in {"output_audio", "audio"}:
        # OpenAI says it so: the type is known, but nothing except text is taken from a client.
        raise _missing(f"{path}.text")
    if part.type not in _PARTS[role]:
        raise _unsupported(f"{path}.type", part.type, _PARTS[role])
    part_type = cast("PartType", part.type)
    if part_type == "input_audio":
        return Part(part_type, part.transcript or None, bytearray(part.audio or b""))
    if part_type == "input_image":
        return Part(part_type, None)
    return Part(part_type, _present(part.text, f"{path}.text", empty=True))


def _present(value: wire.Maybe[str], path: str, *, empty: bool = False) -> str:
    if isinstance(value, str) and (value or empty):
        return value
    raise _missing(path)


def _missing(path: str) -> Rejected:
    return Rejected("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def _unsupported(path: str, value: object, supported: tuple[str, ...]) -> Rejected:
    if not value:
        return _missing(path)
    words = ", ".join(f"'{word}'" for word in supported)
    return Rejected("invalid_value", f"Invalid value: '{value}'. Supported values are: {words}.", path)
