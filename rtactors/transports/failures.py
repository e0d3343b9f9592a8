"""Why a websocket did not open, in one sentence that says what to do.

A key is never told: not from a header, not from the URL, not even if the server quotes it.
"""

import os
import re
import socket
import ssl
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)

from rtactors.errors import ConnectionFailed
from rtactors.providers.base import Endpoint

_ADVICE = {
    401: "check the API key",
    403: "check that the API key may use this model",
    404: "check the URL and the model's name",
    429: "wait before trying again, and check the account's limits",
}
_RETRYABLE = frozenset({408, 425, 429})
_FIRST_SERVER_ERROR = 500
_MAX_QUOTE = 300
"""Characters of what a server says."""


def connection_failed(  # noqa: C901, PLR0912 - a table, one case for each way to fail
    endpoint: Endpoint, error: Exception, timeout_s: float
) -> ConnectionFailed:
    """Translate whatever the `connect` of websockets raised on either backend."""
    if isinstance(error.__cause__, ssl.SSLError):
        error = error.__cause__  # trio wraps it
    where = endpoint.url.partition("?")[0]
    retryable = False
    match error:
        case InvalidStatus():
            status = error.response.status_code
            said = endpoint.without_secrets(_server_message(error.response.body))
            said = said[:_MAX_QUOTE]  # now: a key that is cut is not known
            retryable = status in _RETRYABLE or status >= _FIRST_SERVER_ERROR
            advice = _ADVICE.get(status, "try again later" if retryable else "check the URL and the model's name")
            if status == HTTPStatus.NOT_FOUND and urlsplit(where).path == "/realtime":
                advice = "check the base URL: the path is usually /v1"
            text = f"{where} refused the connection with HTTP {status}{said and f' ({said})'}: {advice}"
        case InvalidURI():
            text = f"{where!r} is not the address of a websocket ({error.msg}): it has to look like wss://host/path"
        case InvalidProxy():
            text = f"the proxy set in the environment is not valid ({error.msg}): correct HTTPS_PROXY or SOCKS_PROXY"
        case ProxyError():
            status = f" with HTTP {error.response.status_code}" if isinstance(error, InvalidProxyStatus) else ""
            text = f"the proxy refused to connect to {where}{status}: check HTTPS_PROXY, or name the host in NO_PROXY"
        case ImportError():
            text = f"{where} can't be reached through a SOCKS proxy yet: pip install python-socks, or unset SOCKS_PROXY"
        case InvalidMessage(__cause__=EOFError()) | ConnectionResetError() | ConnectionAbortedError():
            retryable = True
            text = f"{where} hung up before it answered: try again; if that doesn't help, check the URL (ws or wss?)"
        case InvalidHandshake():
            text = f"{where} is not a websocket server ({reason(error)}): check the URL (host, port, path, ws or wss)"
        case TimeoutError():
            retryable = True
            text = f"{where} did not answer within {timeout_s:g} s: check the network, or try again later"
        case socket.gaierror():
            retryable = True
            text = f"the host of {where} was not found ({error.strerror}): check the URL and the network"
        case ssl.SSLCertVerificationError():
            text = (
                f"the certificate of {where} can't be trusted ({error.verify_message}):"
                " check the host's name, this machine's clock and its CA certificates"
            )
        case ssl.SSLError():
            text = (
                f"{where} does not speak TLS ({reason(error)}): check the port, or use ws:// if it shall be without TLS"
            )
        case OSError():
            retryable = True
            text = (
                f"nothing answers at {where} ({reason(error)}):"
                " check that the server is running, the URL, the network and the proxy, if one is set"
            )
        case _:
            text = f"no connection to {where}: {reason(error)}"
    return ConnectionFailed(endpoint.without_secrets(text), retryable=retryable)


def reason(error: BaseException) -> str:
    """The innermost cause in few words: what the operating system or the other side says, without addresses."""
    if isinstance(error, BaseExceptionGroup):  # of trio, for a host that was tried over IPv6 and IPv4
        return reason(error.exceptions[0])  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] a group of any
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if error.__cause__:
        return reason(error.__cause__)
    if several := re.search(r"\[Errno (\d+)\]", str(error)):  # the same of asyncio
        return os.strerror(int(several[1]))
    return str(error) or type(error).__name__


def _server_message(body: bytes | bytearray) -> str:
    """What the server says is wrong, if it says so in JSON, as realtime servers do."""
    try:
        message: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    for key in ("error", "message", "detail"):  # {"error": {"message": ...}}, {"error": ...}, {"message": ...}, ...
        if isinstance(message, dict):
            message = message.get(key, message)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] any JSON
    return " ".join(message.split()) if isinstance(message, str) else ""
