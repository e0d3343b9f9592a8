"""What can happen: the lifecycles of rtactors as pure statecharts.

Nothing in this package does I/O, reads a clock or knows an event loop. It may import `transitions` (in
`statecharts.chart` alone) and `msgspec`, never `rtactors` and never `anyio`.
"""
