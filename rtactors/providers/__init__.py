"""Providers: one folder or file each, a pure translation between its wire and `rtactors.events`.

`from rtactors.providers import OpenAIRealtime` loads that provider alone, and only then.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtactors.providers.openai import OpenAIRealtime

__all__ = ["OpenAIRealtime"]


def __getattr__(name: str) -> object:
    if name == "OpenAIRealtime":
        from rtactors.providers.openai import OpenAIRealtime  # noqa: PLC0415 (loaded when it is asked for)

        return OpenAIRealtime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
