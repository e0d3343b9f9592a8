"""Our commands as a quicksilver server's frames. It takes few, and says what came of none."""

from collections.abc import Sequence
from typing import Final

from rtactors.errors import ConfigurationError
from rtactors.events import AppendAudio, AppendHandoff, CancelResponse, Command, CreateItem, Item
from rtactors.providers.base import Frame
from rtactors.providers.quicksilver import wire

MAX_APPEND: Final = 15 * 2**20
"""Bytes of audio in one event, as OpenAI's other servers take it."""


def text_frame(event: wire.ClientEvent) -> str:
    return wire.encoder.encode(event).decode()


def encode(command: Command) -> Sequence[Frame]:
    """See `rtactors.providers.base.Provider.encode`."""
    match command:
        case AppendAudio(audio=audio):
            return tuple(
                text_frame(wire.InputAudioBufferAppend(audio[start : start + MAX_APPEND]))
                for start in range(0, len(audio), MAX_APPEND)
            )
        case AppendHandoff():
            return (text_frame(wire.ConversationHandoffAppend(command.handoff_id, command.text)),)
        case CreateItem():
            return (text_frame(wire.ConversationItemCreate(_message(command.item))),)
        case CancelResponse():
            return ()  # it can't be told to stop; what still comes is not played
        case _:
            raise ConfigurationError(
                f"a quicksilver server (V1) has no event for {type(command).__name__}: it hears when a turn is over, "
                "replies by itself, and changes nothing that was said"
            )


def _message(item: Item) -> wire.MessageToCreate:
    """It takes the user's messages and the developer's, as text; what the assistant said is told by the developer."""
    if item.kind != "message" or not item.role:
        raise ConfigurationError(
            f"can't create the item {item.id!r} of kind {item.kind!r}: a quicksilver server (V1) takes messages only"
        )
    if item.role == "user":
        return wire.MessageToCreate(role="user", content=[_text(item.text)])
    said = f"You (the assistant) said: {item.text}" if item.role == "assistant" else item.text
    return wire.MessageToCreate(role="developer", content=[_text(said)])


def _text(text: str) -> wire.ContentPart:
    return wire.ContentPart(type="input_text", text=text)
