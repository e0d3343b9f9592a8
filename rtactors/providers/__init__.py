"""Providers: one folder or file each, a pure translation between its wire and `rtactors.events`."""
