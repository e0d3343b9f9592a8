"""Drawings of statecharts, from the same table that runs them."""
