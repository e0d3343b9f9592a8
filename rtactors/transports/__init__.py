"""Transports: open sockets. Only these modules may know an event loop by name."""
