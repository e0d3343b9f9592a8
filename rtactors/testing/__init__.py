"""Tools to test with, for this project and for those who build on it."""
