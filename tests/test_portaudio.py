"""Without its extra, or without PortAudio, an audio device says what to install."""

import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest

from rtactors.errors import ConfigurationError
from rtactors.microphone import Microphone
from rtactors.sinks import Speaker


@pytest.mark.parametrize("device", [Speaker, Microphone])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("No module named 'sounddevice'"), r'pip install "rtactors\[audio\]"'),
        (OSError("PortAudio library not found"), "apt-get install libportaudio2"),
    ],
)
def test_what_is_missing_is_named(
    device: Callable[[], object], error: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def failing_import(name: str, *args: Any, **options: Any) -> Any:
        if name == "sounddevice":
            raise error
        return real_import(name, *args, **options)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", failing_import)
    with pytest.raises(ConfigurationError, match=told):
        device()
