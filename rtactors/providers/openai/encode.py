"""Our commands as OpenAI's frames. Each operation's id is its event's id, so that an error finds its way back."""

from collections.abc import Sequence
from typing import Final, TypeVar, assert_never

from msgspec import UNSET, UnsetType

from rtactors.errors import ConfigurationError
from rtactors.events import (
    AppendAudio,
    AppendHandoff,
    CancelResponse,
    ClearAudio,
    Command,
    CommitAudio,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Function,
    Item,
    TruncateItem,
)
from rtactors.providers.base import Frame
from rtactors.providers.openai import wire
from rtactors.providers.openai.requests import metadata_of

MAX_APPEND: Final = 15 * 2**20
"""Bytes of audio that OpenAI takes in one event."""
SAY: Final = "Say exactly these words, in their language, and nothing before or after them:\n\n{}"
"""How a model is asked for fixed words: there is no other way with OpenAI."""


def text_frame(event: wire.ClientEvent) -> str:
    """OpenAI takes text frames only."""
    return wire.encoder.encode(event).decode()


def encode(command: Command) -> Sequence[Frame]:
    """See `rtactors.providers.base.Provider.encode`."""
    if isinstance(command, AppendAudio):
        audio = command.audio
        return tuple(
            text_frame(wire.InputAudioBufferAppend(audio=audio[start : start + MAX_APPEND]))
            for start in range(0, len(audio), MAX_APPEND)
        )
    return (text_frame(_event(command)),)


def _event(  # noqa: PLR0911 (a table: a case a command)
    command: CommitAudio
    | ClearAudio
    | CreateItem
    | TruncateItem
    | DeleteItem
    | CreateResponse
    | CancelResponse
    | AppendHandoff,
) -> wire.ClientEvent:
    event_id = command.operation_id
    match command:
        case CommitAudio():
            return wire.InputAudioBufferCommit(event_id=event_id)
        case ClearAudio():
            return wire.InputAudioBufferClear(event_id=event_id)
        case CreateItem():
            after = UNSET if command.after is None else command.after or "root"
            return wire.ConversationItemCreate(_item(command.item), after, event_id=event_id)
        case TruncateItem():
            end_ms = command.audio_end_ms
            return wire.ConversationItemTruncate(command.item_id, command.part, end_ms, event_id=event_id)
        case DeleteItem():
            return wire.ConversationItemDelete(command.item_id, event_id=event_id)
        case CreateResponse():
            return wire.ResponseCreate(_response(command), event_id=event_id)
        case CancelResponse():
            return wire.ResponseCancel(command.response_id, event_id=event_id)
        case AppendHandoff():
            raise ConfigurationError(
                f"OpenAI's GA protocol has no handoffs, such as {command.handoff_id}: answer the function call instead"
            )
        case _:
            assert_never(command)


def _response(command: CreateResponse) -> wire.ResponseParams:
    options = command.options
    instructions, choice = options.instructions, options.tool_choice
    if options.say is not None:
        instructions, choice = SAY.format(options.say), "none"
    return wire.ResponseParams(
        instructions=_given(instructions),
        conversation="none" if options.out_of_band else UNSET,
        input=UNSET if options.input is None else [_input(item) for item in options.input],
        metadata=metadata_of(command),
        output_modalities=UNSET if options.output is None else [options.output],
        tools=UNSET if options.functions is None else [*map(function_tool, options.functions)],
        tool_choice=UNSET if choice is None else _choice(choice),
        max_output_tokens=_given(options.max_output_tokens),
    )


T = TypeVar("T")


def _given(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _choice(name: str) -> wire.ToolChoice:
    return name if name in {"auto", "none", "required"} else wire.FunctionChoice(name=name)  # pyright: ignore[reportReturnType]  one of these


def function_tool(function: Function) -> wire.FunctionTool:
    return wire.FunctionTool(name=function.name, description=function.description, parameters=function.parameters)


def _input(item: Item) -> wire.Item:
    if item == Item(id=item.id):
        return wire.Item("item_reference", id=item.id)
    return _item(item)


def _item(item: Item) -> wire.Item:
    """Without its `phase`: OpenAI tells that, and its own types for what a client creates don't have it."""
    match item.kind:
        case "message" if item.role:
            return wire.Item("message", id=item.id or UNSET, role=item.role, content=[_part(item)])
        case "function_call":
            return wire.Item(
                "function_call", id=item.id or UNSET, call_id=item.call_id, name=item.name, arguments=item.arguments
            )
        case "function_call_output":
            return wire.Item("function_call_output", id=item.id or UNSET, call_id=item.call_id, output=item.output)
        case _:
            raise ConfigurationError(
                f"can't create the item {item.id!r} of kind {item.kind!r} and role {item.role!r}: OpenAI takes "
                "messages with a role, function calls and their outputs"
            )


def _part(item: Item) -> wire.ContentPart:
    if item.role == "assistant":  # whose audio can't be given to a server, only its text
        return wire.ContentPart(type="output_text", text=item.text)
    if item.role == "user" and item.audio:
        return wire.ContentPart(type="input_audio", audio=item.audio, transcript=item.text or UNSET)
    return wire.ContentPart(type="input_text", text=item.text)
