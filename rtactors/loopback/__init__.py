"""The embedded provider: a local realtime server for demo, tests and development.

It speaks the OpenAI Realtime protocol (GA, over websocket) and holds the history that a client's record is compared
with; what hands work over by events of its own (V1) is `quicksilver`. With the client side it shares the types of the
wire and nothing else, so that neither hides the other's mistakes.
"""
