"""Delegation: a speech model talks to the user, and gives the work to a text agent behind it."""
