"""Every lifecycle of rtactors, by name. Each is declared in the module of its name, `statecharts.<name>`."""

from typing import Any

from statecharts.chart import Chart
from statecharts.connection import CONNECTION
from statecharts.item import ITEM
from statecharts.message import MESSAGE
from statecharts.playback import PLAYBACK
from statecharts.response import RESPONSE

CHARTS: dict[str, Chart[Any, Any]] = {chart.name: chart for chart in (MESSAGE, RESPONSE, ITEM, PLAYBACK, CONNECTION)}
