"""What ends a sentence or a clause, in any script, and what closes behind that. Pure."""

ENDS_SENTENCE = tuple(".!?…。！？｡؟۔।॥።։\u037e")  # noqa: RUF001 - as they are written
ENDS_CLAUSE = tuple(",;:–—،؛、，：；､፣՝")  # noqa: RUF001 - the same
CLOSING = "\"')]}»›”’」』）】〉》〕"  # noqa: RUF001 - the same
