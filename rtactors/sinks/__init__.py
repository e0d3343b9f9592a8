"""Sinks: where messages are heard; each alone knows the position of what it plays."""
