"""Python functions that the model may call.

    def get_weather(city: str) -> str: ...

    Session(provider, sink=sink, tools=[get_weather, tool(timeout=5, on_interrupt="cancel")(search)])

What the model is told of them, how they are run and what may go wrong, is said of `tool`.
"""

from rtactors.tools.call import Call
from rtactors.tools.tool import Tool, tool

__all__ = ["Call", "Tool", "tool"]
