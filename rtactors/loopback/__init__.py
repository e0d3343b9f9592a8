"""The embedded provider: a local realtime server for demo, tests and development."""
