"""Where OpenAI is and who asks: the official SDK's conventions, with errors that never show a secret."""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rtactors.errors import ConfigurationError

BASE_URL: Final = "https://api.openai.com/v1"

_SOCKET_SCHEMES: Final = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


def url(base_url: str | None, websocket_base_url: str | None, query: Mapping[str, str]) -> str:
    """The websocket's URL: `/realtime` under the base, whose own query is kept. Raises ConfigurationError."""
    if websocket_base_url is not None:
        source, base = "websocket_base_url", websocket_base_url
    elif base_url is not None:
        source, base = "base_url", base_url
    else:
        source, base = "the environment variable OPENAI_BASE_URL", os.environ.get("OPENAI_BASE_URL") or BASE_URL
    # An error says where the URL came from and doesn't repeat it: it may hold a key, or be one.
    base = base.strip()
    try:
        parts = urlsplit(base)
        host, _port = parts.hostname, parts.port  # a wrong port is found by reading it
    except ValueError as error:
        raise ConfigurationError(f"{source} is not a URL ({error}): it must look like {BASE_URL}") from None
    scheme = _SOCKET_SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        raise ConfigurationError(f"{source} must begin with https://, http://, wss:// or ws://, like {BASE_URL}")
    if not host or any(character.isspace() for character in base):
        raise ConfigurationError(f"{source} names no host: it must look like {BASE_URL}")
    if parts.username is not None:
        raise ConfigurationError(f"{source} holds a user name or password: pass credentials in extra_headers instead")
    path = parts.path.rstrip("/") + "/realtime"
    return urlunsplit((scheme, parts.netloc, path, urlencode({**dict(parse_qsl(parts.query)), **query}), ""))


def headers(
    api_key: str | None, organization: str | None, project: str | None, extra: Mapping[str, str]
) -> dict[str, str]:
    """`extra` replaces what has the same name. Raises ConfigurationError without a key, or for unusable values."""
    key = (os.environ.get("OPENAI_API_KEY", "") if api_key is None else api_key).strip()
    if not key and api_key is None:
        raise ConfigurationError(
            "there is no OpenAI API key: set the environment variable OPENAI_API_KEY, or pass api_key=... "
            '(api_key="" sends none, for compatible servers that ask for none)'
        )
    standard = {
        "Authorization": f"Bearer {key}" if key else "",
        "OpenAI-Organization": os.environ.get("OPENAI_ORG_ID", "") if organization is None else organization,
        "OpenAI-Project": os.environ.get("OPENAI_PROJECT_ID", "") if project is None else project,
    }
    replaced = {name.lower() for name in extra}
    result = {name: value for name, value in standard.items() if value and name.lower() not in replaced} | dict(extra)
    for name, value in result.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ConfigurationError(
                f"the header {name!r} holds a character that HTTP doesn't take, such as a line break or a typographic "
                "quote: check the key, organization, project and extra_headers"
            )
    return result
