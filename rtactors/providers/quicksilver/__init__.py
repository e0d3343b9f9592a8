"""Quicksilver: the first version of OpenAI's realtime protocol with delegation (V1), in which handing work over is an
event of its own.
"""

from rtactors.providers.quicksilver.adapter import QuicksilverRealtime

__all__ = ["QuicksilverRealtime"]
