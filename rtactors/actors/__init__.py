"""The actors: who makes things happen."""
