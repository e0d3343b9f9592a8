"""What the source says of an event's or effect's fields: their types as they stand there, and the sentence below each.

A sentence below a field is no part of the program that runs, so it is read from the source; only pages need it.
"""

import ast
import inspect
from itertools import pairwise
from textwrap import dedent
from typing import NamedTuple


class Field(NamedTuple):
    name: str
    type: str
    default: str
    """Empty if it has none."""
    meaning: str
    """Empty if nothing is said of it."""


def fields_of(struct: type) -> tuple[Field, ...]:
    """The fields of a Struct, in their order."""
    [definition] = ast.parse(dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    return tuple(
        Field(
            name=ast.unparse(statement.target),
            type=_type(statement.annotation),
            default=ast.unparse(statement.value) if statement.value else "",
            meaning=_sentence(below),
        )
        for statement, below in pairwise([*definition.body, ast.Pass()])
        if isinstance(statement, ast.AnnAssign)
    )


def _type(annotation: ast.expr) -> str:
    """`int` of `Annotated[int, ...]`."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
            return ast.unparse(first)
        case _:
            return ast.unparse(annotation)


def _sentence(below: ast.stmt) -> str:
    match below:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
        case _:
            return ""
