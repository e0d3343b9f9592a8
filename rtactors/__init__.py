"""Actors and statecharts for realtime speech models: the record equals what was heard."""
