"""Python functions that the model may call.

    def get_weather(city: str) -> str:
        \"\"\"The weather in a city, now.\"\"\"
        ...

    Session(provider, sink=sink, tools=[get_weather, tool(timeout=5, on_interrupt="cancel")(search)])
"""

from rtactors.tools.call import Call
from rtactors.tools.tool import Tool, tool

__all__ = ["Call", "Tool", "tool"]
