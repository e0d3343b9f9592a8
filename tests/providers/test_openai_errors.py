"""Errors by code, and by their sentence where a server gives no code."""

import json
from typing import Any

import pytest

from rtactors.events import ErrorKind, ProviderError
from rtactors.providers.openai.decode import decode

BUSY = "Conversation already has an active response in progress: resp_7x. Wait until the response is finished."
SHORT = "Audio content of 2650ms is already shorter than 9100ms"


def read(**error: Any) -> ProviderError:
    (event,) = decode(json.dumps({"type": "error", "event_id": "e", "error": error}))
    assert isinstance(event, ProviderError)
    return event


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("item_delete_invalid_item_id", "", "absent"),
        ("item_truncate_invalid_item_id", "", "absent"),
        ("item_retrieve_invalid_item_id", "", "absent"),
        (None, "Error deleting item: the item with id 'yo' does not exist.", "absent"),
        ("unsupported_content_type", "", "not_truncatable"),
        (None, "Only model output audio messages can be truncated", "not_truncatable"),
        ("invalid_value", SHORT, "too_short"),
        (None, SHORT, "too_short"),
        ("conversation_already_has_active_response", "", "busy"),
        (None, "Conversation already has an active response", "busy"),
        (None, BUSY, "busy"),
        ("response_cancel_not_active", "", "not_active"),
        (None, "Cancellation failed: no active response found", "not_active"),
        ("input_audio_buffer_commit_empty", "", "input_empty"),
        (
            None,
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio.",
            "input_empty",
        ),
        ("session_expired", "", "expired"),
        (None, "Your session hit the maximum duration of 30 minutes.", "expired"),
        ("insufficient_quota", "", "fatal"),
        ("invalid_api_key", "", "fatal"),
        ("account_deactivated", "", "fatal"),
        ("billing_hard_limit_reached", "", "fatal"),
        ("billing_not_active", "", "fatal"),
        ("model_not_found", "The model `x` does not exist or you do not have access to it.", "fatal"),
        ("rate_limit_exceeded", "Rate limit reached", "other"),
        ("invalid_value", "Invalid value: 'x'.", "other"),
        (None, "The model `x` does not exist", "other"),
        (None, "", "other"),
        (500, "The server had an error", "other"),
    ],
)
def test_kinds(code: str | int | None, message: str, kind: ErrorKind) -> None:
    error = read(type="invalid_request_error", code=code, message=message, event_id="op_1")
    assert error.kind == kind
    assert error.code == str(code or "")
    assert error.operation_id == "op_1"


def test_a_lack_of_quota_may_stand_in_the_type() -> None:
    assert read(type="insufficient_quota", message="You exceeded your current quota").kind == "fatal"


@pytest.mark.parametrize(
    ("message", "limit_ms"),
    [
        (SHORT, 2650),
        ("Audio content of 2650.75ms is already shorter than 9100ms", 2650),
        ("audio content of 0 ms is already shorter than 1 ms", 0),
    ],
)
def test_where_the_audio_ends(message: str, limit_ms: int) -> None:
    error = read(code="invalid_value", message=message)
    assert (error.kind, error.limit_ms) == ("too_short", limit_ms)


def test_which_response_is_active() -> None:
    assert read(code="conversation_already_has_active_response", message=BUSY).response_id == "resp_7x"
    assert read(message="Conversation already has an active response").response_id is None


@pytest.mark.parametrize("event_id", [None, ""])
def test_an_error_without_an_owner(event_id: str | None) -> None:
    assert read(message="x", event_id=event_id).operation_id is None
    assert read(message="x").operation_id is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "No."}, "No."),
        ({"code": "some_code"}, "some_code"),
        ({"type": "server_error"}, "server_error"),
        ({}, "the server gave no reason"),
    ],
)
def test_there_is_always_a_sentence(error: dict[str, Any], message: str) -> None:
    assert read(**error).message == message


def test_a_long_sentence_is_cut_and_costs_no_more_than_its_beginning() -> None:
    """It is searched by patterns for which a long one would take minutes, and stands in logs."""
    (error,) = decode(json.dumps({"type": "error", "error": {"message": "item with id " * 1_000_000}}))
    assert isinstance(error, ProviderError)
    assert error.kind == "other"
    assert len(error.message) < 2100
