"""What OpenAI's errors mean to us: codes first, then the sentences, since codes are often null or left out."""

import re
from typing import Final

from rtactors.events import ErrorKind, ProviderError
from rtactors.providers.openai import wire

_CODES: Final[dict[str, ErrorKind]] = {
    "item_delete_invalid_item_id": "absent",
    "item_retrieve_invalid_item_id": "absent",
    "item_truncate_invalid_item_id": "absent",
    "unsupported_content_type": "not_truncatable",
    "conversation_already_has_active_response": "busy",
    "response_cancel_not_active": "not_active",
    "input_audio_buffer_commit_empty": "input_empty",
    "session_expired": "expired",
    "account_deactivated": "fatal",
    "billing_hard_limit_reached": "fatal",
    "billing_not_active": "fatal",
    "insufficient_quota": "fatal",
    "invalid_api_key": "fatal",
    "model_not_found": "fatal",
}

_TOO_SHORT: Final = re.compile(r"audio content of (\d+)(?:\.\d+)? ?ms is already shorter", re.IGNORECASE)
_ACTIVE_RESPONSE: Final = re.compile(r"active response in progress: ([\w-]+)", re.IGNORECASE)

_SENTENCES: Final[tuple[tuple[re.Pattern[str], ErrorKind], ...]] = (
    (_TOO_SHORT, "too_short"),
    (re.compile(r"item with id .* does not exist", re.IGNORECASE), "absent"),
    (re.compile(r"already has an active response", re.IGNORECASE), "busy"),
    (re.compile(r"no active response", re.IGNORECASE), "not_active"),
    (re.compile(r"can be truncated", re.IGNORECASE), "not_truncatable"),
    (re.compile(r"buffer too small", re.IGNORECASE), "input_empty"),
    (re.compile(r"session hit the maximum duration", re.IGNORECASE), "expired"),
)


LONGEST: Final = 2000
"""Characters of a sentence of a server that are kept: it goes into logs and errors, and is searched."""


def sentence(text: wire.Maybe[str]) -> str:
    """What a server says is wrong, "" if it says nothing; of a very long one the beginning."""
    text = text or ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def provider_error(error: wire.ErrorDetail | wire.StatusError, operation_id: str | None) -> ProviderError:
    """A server's error in our words; `limit_ms` and `response_id` are read from its sentence."""
    code = sentence(str(error.code or ""))
    message = sentence(error.message)
    too_short = _TOO_SHORT.search(message)
    active = _ACTIVE_RESPONSE.search(message)
    return ProviderError(
        kind=_kind(code, error.type or "", message),
        message=message or code or sentence(error.type) or "the server gave no reason",
        code=code,
        operation_id=operation_id,
        limit_ms=int(too_short[1]) if too_short else None,
        response_id=active[1] if active else None,
    )


def _kind(code: str, error_type: str, message: str) -> ErrorKind:
    # OpenAI gives a lack of quota in either field.
    known = _CODES.get(code) or _CODES.get(error_type)
    if known:
        return known
    for pattern, kind in _SENTENCES:
        if pattern.search(message):
            return kind
    return "other"
