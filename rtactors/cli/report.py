"""What one run of `rtactors demo` leaves behind as data: the schema of `report.json`.

Times (`..._at`) are ms since the session was connected. Amounts of audio (`..._ms`) are ms of that one message or turn.
The JSON Schema of it, `docs/demo-report.schema.json`, is what `python -m rtactors.cli.report` prints.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, json

SCHEMA = 1
VoiceKind: TypeAlias = Literal["espeak", "tone"]


class Effect(Struct, frozen=True, kw_only=True):
    """What the server was told to do to a message."""

    kind: Literal["truncate", "delete"]
    at: int
    audio_end_ms: Annotated[int | None, Meta(description="Where a truncate cuts.")] = None


class Turn(Struct, frozen=True, kw_only=True):
    """Something the user said into the microphone."""

    text: str
    recognized: Annotated[str | None, Meta(description="What the server took it for.")]
    started_at: int
    stopped_at: int
    noticed_at: Annotated[int | None, Meta(description="When the session was told that the user speaks.")]


class Message(Struct, frozen=True, kw_only=True):
    """One message of the model, in the four records that there are of it."""

    id: str
    response_id: str
    number: Annotated[int, Meta(description="1 for the first that was announced.")]
    state: Annotated[str, Meta(description="full, partial or skipped, once it is over.")]
    text: Annotated[str, Meta(description="As generated.")]
    heard_text: Annotated[str, Meta(description="As it stands in the chat history.")]
    generated_ms: Annotated[int, Meta(description="What the server made, by its own count.")]
    heard_ms: Annotated[int, Meta(description="What left the sink, and stands in heard.wav.")]
    server_ms: Annotated[int | None, Meta(description="What the server keeps; null: it does not hold the message.")]
    history_ms: Annotated[int | None, Meta(description="What the chat history says; null: it is not in there.")]
    announced_at: int
    generated_from: Annotated[int | None, Meta(description="When the server sent its first audio.")]
    generated_until: Annotated[int | None, Meta(description="When the server sent its last audio.")]
    started_at: Annotated[int | None, Meta(description="When its first frame was heard.")]
    stopped_at: Annotated[int | None, Meta(description="When its last frame was heard.")]
    effects: list[Effect]


class Report(Struct, frozen=True, kw_only=True, tag=True):
    """One run of the demo."""

    schema: Annotated[int, Meta(description="Grows when the meaning of a field changes.")] = SCHEMA
    versions: Annotated[dict[str, str], Meta(description="Of rtactors, Python and what they run on.")]
    voice: Annotated[VoiceKind, Meta(description="Tones if the extra `speech` is missing.")]
    duration_ms: int
    turns: list[Turn]
    messages: list[Message]
    interrupted_at: Annotated[list[int], Meta(description="When the model was interrupted.")]
    problems: Annotated[list[str], Meta(description="What the session reported as going wrong.")]
    differences: Annotated[list[str], Meta(description="Where the records differ; empty if all is well.")]


if __name__ == "__main__":
    print(json.format(json.encode(json.schema(Report))).decode())
