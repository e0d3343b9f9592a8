"""Tests marked `speech` are skipped where the extra is not installed."""

import pytest


@pytest.fixture(autouse=True)
def speech_extra(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("speech"):
        pytest.importorskip("espeakng_loader")
        pytest.importorskip("pocketsphinx")
