"""A process that talks is killed, again and again, at moments of chance; nothing that it was told is lost.

Everything is real: the process and its end (SIGKILL), the sockets, the disk. Only the server survives, as a provider
would. `pytest tests/journal/test_kill.py --kills 200` for more of it.
"""

import random
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream
from msgspec import json

from rtactors import HistoryItem
from rtactors.journal import SqliteJournal
from rtactors.journal.recall import ledger_of, recall
from rtactors.ledger import Ledger
from rtactors.loopback.script import Call, Reply, Say, Timing, Turn
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.testing.clock import Backend
from tests.journal.talker import SESSION
