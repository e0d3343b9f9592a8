"""Our wire types against those of OpenAI's own package: nothing of theirs is missing here, nothing of ours is made up.

Samples are built from the annotations of their pydantic models. A sample with every field set that comes back from our
types unchanged proves that we have each of their fields, with a kind that takes its values.
"""

import json
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import inspect
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from rtactors.providers.openai import wire

OURS_ONLY = {
    # Sent by gpt-realtime-2, as a vendor's documentation says; not in the package (3.51).
    (wire.Item, "phase"),
    # The package types the session of `session.created` as a request, and leaves out what only a server knows.
    (wire.SessionState, "id"),
    (wire.SessionState, "object"),
    (wire.SessionState, "expires_at"),
    # Sent by xAI's servers.
    (wire.ResponseOutputAudioTranscriptDelta, "start_time"),
}

THEIR_SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
THEIR_CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def branches(annotation: Any) -> Iterator[Any]:
    """The members of a union, through `Annotated` and nested unions."""
    if get_origin(annotation) is typing.Annotated:
        yield from branches(get_args(annotation)[0])
    elif get_origin(annotation) in {typing.Union, types.UnionType}:
        for member in get_args(annotation):
            yield from branches(member)
    else:
        yield annotation


def samples(annotation: Any, *, optional: bool) -> list[Any]:
    """JSON values that together use each branch of the annotation; with or without the optional fields."""
    return [sample for branch in branches(annotation) for sample in _samples_of(branch, optional=optional)]


SIMPLE: dict[Any, list[Any]] = {
    type(None): [None],
    str: ["AAEC"],  # also valid base64
    int: [7],
    float: [0.5],
    bool: [True],
    object: [{"any": ["thing"]}],
}


def _samples_of(branch: Any, *, optional: bool) -> list[Any]:
    origin, arguments = get_origin(branch), get_args(branch)
    if branch in SIMPLE:
        return SIMPLE[branch]
    if origin is Literal:
        return list(arguments)
    if origin is list:
        return [[sample] for sample in samples(arguments[0], optional=optional)]
    if origin is dict:
        return [{"key": sample} for sample in samples(arguments[1], optional=optional)]
    assert issubclass(branch, BaseModel), branch
    return model_samples(branch, optional=optional)


def model_samples(model: type[BaseModel], *, optional: bool) -> list[dict[str, Any]]:
    fields = {
        name: samples(field.annotation, optional=optional)
        for name, field in model.model_fields.items()
        if optional or field.is_required()
    }
    # What a thing is stands in `type`: optional in their models, never null or left out on the wire.
    if "type" in model.model_fields:
        fields["type"] = [name for name in samples(model.model_fields["type"].annotation, optional=optional) if name]
    count = max((len(values) for values in fields.values()), default=1)
    return [{name: values[at % len(values)] for name, values in fields.items()} for at in range(count)]


SERVER_MODELS: list[type[BaseModel]] = list(branches(RealtimeServerEvent))
CLIENT_MODELS: list[type[BaseModel]] = list(branches(RealtimeClientEvent))


def type_name(model: type[BaseModel]) -> str:
    return get_args(model.model_fields["type"].annotation)[0]


def test_every_event_of_theirs_is_one_of_ours() -> None:
    assert {type_name(model) for model in CLIENT_MODELS} == wire.CLIENT_TYPES
    beta = {event.__struct_config__.tag for event in get_args(wire.BetaServerEvent)}
    assert {type_name(model) for model in SERVER_MODELS} == wire.SERVER_TYPES - beta


@pytest.mark.parametrize("optional", [False, True], ids=["required", "all fields"])
@pytest.mark.parametrize("model", SERVER_MODELS, ids=type_name)
def test_their_server_events_are_read_in_full(model: type[BaseModel], *, optional: bool) -> None:
    for sample in model_samples(model, optional=optional):
        if "response" in sample:
            sample["response"]["id"] = "resp_1"  # optional in their models, but nothing can be done without it
        event = wire.server_decoder.decode(THEIR_SERVER_EVENTS.validate_python(sample).to_json(exclude_unset=True))
        written = json.loads(wire.encoder.encode(event))
        THEIR_SERVER_EVENTS.validate_python(written, strict=True)
        if "session" in sample:
            written["session"] = {name: written["session"][name] for name in sample["session"]}
        assert written == sample


@pytest.mark.parametrize("optional", [False, True], ids=["required", "all fields"])
@pytest.mark.parametrize("model", CLIENT_MODELS, ids=type_name)
def test_their_client_events_are_read_in_full(model: type[BaseModel], *, optional: bool) -> None:
    for sample in model_samples(model, optional=optional):
        event = wire.client_decoder.decode(THEIR_CLIENT_EVENTS.validate_python(sample).to_json(exclude_unset=True))
        written = json.loads(wire.encoder.encode(event))
        assert written == sample
        THEIR_CLIENT_EVENTS.validate_python(written, strict=True)


def structs(root: Any) -> Iterator[tuple[type[msgspec.Struct], list[str]]]:
    """Each Struct that a type of ours reaches, with its JSON fields."""
    seen: set[type[msgspec.Struct]] = set()

    def walk(kind: Any) -> Iterator[tuple[type[msgspec.Struct], list[str]]]:
        match kind:
            case inspect.UnionType():
                for member in kind.types:
                    yield from walk(member)
            case inspect.ListType():
                yield from walk(kind.item_type)
            case inspect.StructType() if kind.cls not in seen:
                seen.add(kind.cls)
                yield kind.cls, [field.encode_name for field in kind.fields]
                for field in kind.fields:
                    yield from walk(field.type)
            case _:
                pass

    yield from walk(inspect.type_info(root))


def test_no_field_of_ours_is_made_up() -> None:
    """By name, wherever a type of theirs with the same place has it: the samples above checked the kinds."""
    theirs: dict[type[msgspec.Struct], set[str]] = {}
    for ours, model in [
        *((event, model) for event in get_args(wire.ServerEvent) for model in SERVER_MODELS),
        *((event, model) for event in get_args(wire.ClientEvent) for model in CLIENT_MODELS),
    ]:
        if ours.__struct_config__.tag == type_name(model):
            gather(inspect.type_info(ours), model, theirs)
    reached = dict(structs(wire.ServerEvent)) | dict(structs(wire.ClientEvent))
    assert set(reached) == set(theirs)
    made_up = {(struct, name) for struct, names in reached.items() for name in names if name not in theirs[struct]}
    assert made_up == OURS_ONLY


def gather(ours: Any, theirs: Any, found: dict[type[msgspec.Struct], set[str]]) -> None:
    """Collects, for each Struct of ours, the fields of the models that stand in its place."""
    for branch in branches(theirs):
        match ours:
            case inspect.UnionType():
                for member in ours.types:
                    gather(member, branch, found)
            case inspect.ListType() if get_origin(branch) is list:
                gather(ours.item_type, get_args(branch)[0], found)
            case inspect.StructType() if isinstance(branch, type) and issubclass(branch, BaseModel):
                if ours.tag and ours.tag not in samples(branch.model_fields["type"].annotation, optional=True):
                    continue
                found.setdefault(ours.cls, set()).update(branch.model_fields)
                for field in ours.fields:
                    if field.encode_name in branch.model_fields:
                        gather(field.type, branch.model_fields[field.encode_name].annotation, found)
            case _:
                pass
