"""Providers: one folder or file each, a pure translation between its wire and `rtactors.events`.

`from rtactors.providers import OpenAIRealtime` loads that provider alone, and only then.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtactors.providers.openai import OpenAIRealtime
    from rtactors.providers.quicksilver import QuicksilverRealtime

__all__ = ["OpenAIRealtime", "QuicksilverRealtime"]


def __getattr__(name: str) -> object:
    if name == "OpenAIRealtime":
        from rtactors.providers.openai import OpenAIRealtime  # noqa: PLC0415 (loaded when it is asked for)

        return OpenAIRealtime
    if name == "QuicksilverRealtime":
        from rtactors.providers.quicksilver import QuicksilverRealtime  # noqa: PLC0415 (the same)

        return QuicksilverRealtime
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
