"""Every lifecycle of rtactors, by name."""

from typing import Any

from statecharts import (
    agent,
    call,
    connection,
    delegation,
    interruption,
    item,
    link,
    message,
    playback,
    requests,
    response,
    transcript,
)
from statecharts.chart import Chart

_CHARTS: tuple[tuple[Chart[Any, Any], str | None], ...] = (
    (message.MESSAGE, message.__doc__),
    (transcript.TRANSCRIPT, transcript.__doc__),
    (response.RESPONSE, response.__doc__),
    (requests.REQUESTS, requests.__doc__),
    (agent.AGENT, agent.__doc__),
    (item.ITEM, item.__doc__),
    (playback.PLAYBACK, playback.__doc__),
    (connection.CONNECTION, connection.__doc__),
    (link.LINK, link.__doc__),
    (interruption.INTERRUPTION, interruption.__doc__),
    (call.CALL, call.__doc__),
    (delegation.DELEGATION, delegation.__doc__),
)

CHARTS: dict[str, Chart[Any, Any]] = {chart.name: chart for chart, _ in _CHARTS}
PROSE: dict[str, str] = {chart.name: (prose or "").strip() for chart, prose in _CHARTS}
"""What is written above each table."""

RUN_BY: dict[str, str] = {
    "message": "rtactors/actors/message.py",
    "transcript": "rtactors/actors/transcript.py",
    "response": "rtactors/actors/response.py",
    "requests": "rtactors/actors/response.py",
    "agent": "rtactors/actors/response.py",
    "item": "rtactors/actors/context.py",
    "playback": "rtactors/actors/sink.py",
    "connection": "rtactors/actors/transport.py",
    "link": "rtactors/actors/transport.py",
    "call": "rtactors/tools/calls.py",
    "delegation": "rtactors/delegation/actor.py",
    "interruption": "rtactors/actors/turn.py",
}
"""Whose file lets its events happen and carries out its effects."""
