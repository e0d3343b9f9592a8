"""Actors and statecharts for realtime speech models: the record equals what was heard."""

__version__ = "0.1.0"
