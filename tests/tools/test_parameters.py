"""What the model is told of a function's parameters, and what becomes of what it sends."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import pytest
from msgspec import Meta, Struct, json
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from rtactors.errors import ConfigurationError
from rtactors.providers.openai import wire
from rtactors.tools import Call, tool
from rtactors.tools.parameters import BadArguments

if TYPE_CHECKING:
    from decimal import Decimal

THEIR_CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


class Unit(Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclass
class Place:
    name: str
    height: float = 0.0


class Guest(TypedDict):
    name: str
    age: NotRequired[int]


class Even(Struct):
    value: int

    def __post_init__(self) -> None:
        if self.value % 2:
            raise LookupError(f"{self.value} is odd")


class Node(Struct):
    """A tree."""

    value: int
    children: list["Node"] = []


def nothing() -> None: ...


def plain(city: str, days: int, high: float, *, sure: bool) -> None: ...


def defaults(city: str, days: int = 3, unit: Unit = Unit.CELSIUS, tags: list[str] | None = None) -> None: ...


def choices(how: Literal["fast", "slow"], unit: Unit) -> None: ...


def described(
    city: Annotated[str, Meta(description="The city.")],
    days: int,
    unit: Unit = Unit.CELSIUS,
    note: Annotated[str, Meta(description="From the type.", min_length=1)] = "-",
) -> None:
    """The weather,
    as it comes.

    Nobody but us reads this.

    Args:
        city: Not this one.
        days (int): How many,
            today included.
        unit: The unit.
        note: Not this one either.

    Returns:
        nothing: at all
    """


def nested(places: list[Place], guest: Guest, tree: Node) -> None: ...


def known(day: date, id: UUID, sizes: dict[str, int], pair: tuple[int, str]) -> None: ...


def anything(value: Any, more: Any = None) -> None: ...


def evenly(number: Even) -> None: ...


def with_call(city: str, call: Call) -> None: ...


def with_maybe_call(city: str, call: Call | None = None) -> None: ...


def unspeakable_default(city: str = object()) -> None: ...  # type: ignore[assignment, unused-ignore]


STRING, INTEGER, NUMBER, BOOLEAN = ({"type": name} for name in ("string", "integer", "number", "boolean"))
UNIT = {"title": "Unit", "enum": ["c", "f"]}


def schema(required: list[str], properties: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    told = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {**told, "$defs": definitions} if definitions else told


TOLD: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (nothing, schema([], {})),
    (
        plain,
        schema(["city", "days", "high", "sure"], {"city": STRING, "days": INTEGER, "high": NUMBER, "sure": BOOLEAN}),
    ),
    (
        defaults,
        schema(
            ["city"],
            {
                "city": STRING,
                "days": {"type": "integer", "default": 3},
                "unit": {"$ref": "#/$defs/Unit", "default": "c"},
                "tags": {"anyOf": [{"type": "array", "items": STRING}, {"type": "null"}], "default": None},
            },
            Unit=UNIT,
        ),
    ),
    (
        choices,
        schema(["how", "unit"], {"how": {"enum": ["fast", "slow"]}, "unit": {"$ref": "#/$defs/Unit"}}, Unit=UNIT),
    ),
    (
        described,
        schema(
            ["city", "days"],
            {
                "city": {"type": "string", "description": "The city."},
                "days": {"type": "integer", "description": "How many, today included."},
                "unit": {"$ref": "#/$defs/Unit", "description": "The unit.", "default": "c"},
                "note": {"type": "string", "minLength": 1, "description": "From the type.", "default": "-"},
            },
            Unit=UNIT,
        ),
    ),
    (
        nested,
        schema(
            ["places", "guest", "tree"],
            {
                "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
                "guest": {"$ref": "#/$defs/Guest"},
                "tree": {"$ref": "#/$defs/Node"},
            },
            Place={
                "title": "Place",
                "type": "object",
                "properties": {"name": STRING, "height": {"type": "number", "default": 0.0}},
                "required": ["name"],
            },
            Guest={
                "title": "Guest",
                "type": "object",
                "properties": {"name": STRING, "age": INTEGER},
                "required": ["name"],
            },
            Node={
                "title": "Node",
                "description": "A tree.",
                "type": "object",
                "properties": {
                    "value": INTEGER,
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "default": []},
                },
                "required": ["value"],
            },
        ),
    ),
    (
        known,
        schema(
            ["day", "id", "sizes", "pair"],
            {
                "day": {"type": "string", "format": "date"},
                "id": {"type": "string", "format": "uuid"},
                "sizes": {"type": "object", "additionalProperties": INTEGER},
                "pair": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": 2,
                    "prefixItems": [INTEGER, STRING],
                    "items": False,
                },
            },
        ),
    ),
    (anything, schema(["value"], {"value": {}, "more": {"default": None}})),
    (with_call, schema(["city"], {"city": STRING})),
    (with_maybe_call, schema(["city"], {"city": STRING})),
    (unspeakable_default, schema([], {"city": STRING})),
]


@pytest.mark.parametrize(("function", "wanted"), TOLD, ids=lambda value: getattr(value, "__name__", ""))
def test_the_model_is_told(function: Callable[..., Any], wanted: dict[str, Any]) -> None:
    declared = tool(function).declaration
    assert declared.parameters == wanted
    json.encode(declared.parameters)


@pytest.mark.parametrize("function", [function for function, _ in TOLD], ids=lambda value: value.__name__)
def test_openai_takes_what_the_model_is_told(function: Callable[..., Any]) -> None:
    declared = tool(function).declaration
    function_tool = wire.FunctionTool(
        name=declared.name, description=declared.description, parameters=declared.parameters
    )
    frame = wire.encoder.encode(wire.SessionUpdate(session=wire.RealtimeSession(tools=[function_tool])))
    theirs = THEIR_CLIENT_EVENTS.validate_json(frame, strict=True)
    assert theirs.session.tools[0].parameters == declared.parameters


def test_first_paragraph_says_what_it_is_for() -> None:
    assert tool(described).declaration.description == "The weather, as it comes."
    assert tool(nothing).declaration.description == ""
    assert tool(description="Something else.")(described).declaration.description == "Something else."


def test_section_of_parameters_needs_no_text_before_it() -> None:
    def function(city: str) -> None:
        """
        Args:
            city: Which one.
        """

    declared = tool(function).declaration
    assert declared.description == ""
    assert declared.parameters["properties"]["city"]["description"] == "Which one."


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def order(self, what: str) -> str:
        """Order something."""
        return f"{self.name}: {what}"

    def __call__(self, what: str, many: int = 1) -> str:
        """Order some."""
        return f"{self.name}: {many} {what}"


class AsyncShop:
    async def __call__(self, what: str) -> str:
        return what


def search(index: object, text: str, most: int = 10) -> str:
    """Search."""
    return f"{index} {text} {most}"


async def wait(seconds: float) -> None:
    """Wait."""


@pytest.mark.parametrize(
    ("function", "name", "description", "parameters", "is_async"),
    [
        (Shop("a").order, "order", "Order something.", ["what"], False),
        (Shop("a"), "Shop", "Order some.", ["what", "many"], False),
        (AsyncShop(), "AsyncShop", "", ["what"], True),
        (functools.partial(search, "books"), "search", "Search.", ["text", "most"], False),
        (functools.partial(search, index="books"), "search", "Search.", ["text", "most"], False),
        (functools.partial(search, "books", most=3), "search", "Search.", ["text"], False),
        (functools.partial(functools.partial(search, "books"), "b"), "search", "Search.", ["most"], False),
        (functools.partial(Shop("a"), many=2), "Shop", "Order some.", ["what"], False),
        (wait, "wait", "Wait.", ["seconds"], True),
        (functools.partial(wait), "wait", "Wait.", ["seconds"], True),
    ],
)
def test_whatever_can_be_called(
    function: Callable[..., Any], name: str, description: str, parameters: list[str], *, is_async: bool
) -> None:
    made = tool(function)
    assert (made.name, made.declaration.description, made.is_async) == (name, description, is_async)
    assert [*made.parameters.schema["properties"]] == parameters


def test_a_type_that_only_a_type_checker_knows_may_be_returned() -> None:
    def price(of: "str") -> "Decimal":  # type: ignore[return]
        """The price."""

    assert [*tool(price).parameters.schema["properties"]] == ["of"]


def test_a_name_that_is_no_name_in_python() -> None:
    assert tool(name="look-up")(plain).parameters.decode('{"city": "a", "days": 1, "high": 1, "sure": true}')


def test_functions_that_something_is_wrapped_around() -> None:
    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    assert tool(counted(described)).declaration == tool(described).declaration


def test_a_tool_is_still_the_function() -> None:
    @tool
    def double(value: int) -> int:
        return value * 2

    @tool(timeout=5, name="Half")
    def half(value: int) -> float:
        return value / 2

    assert (double(2), half(3)) == (4, 1.5)
    assert (double.name, half.name, half.timeout) == ("double", "Half", 5)
    assert tool(timeout=3)(Shop("b").order)("tea") == "b: tea"


FITS: list[tuple[Callable[..., Any], str, dict[str, Any]]] = [
    (nothing, "", {}),
    (nothing, "{}", {}),
    (
        plain,
        '{"city": "Oslo", "days": 2, "high": 3, "sure": true}',
        {"city": "Oslo", "days": 2, "high": 3.0, "sure": True},
    ),
    (defaults, '{"city": "Oslo"}', {"city": "Oslo"}),
    (defaults, '{"city": "Oslo", "unit": "f", "tags": null}', {"city": "Oslo", "unit": Unit.FAHRENHEIT, "tags": None}),
    (choices, '{"how": "fast", "unit": "c"}', {"how": "fast", "unit": Unit.CELSIUS}),
    (
        nested,
        '{"places": [{"name": "a"}], "guest": {"name": "b"}, "tree": {"value": 1, "children": [{"value": 2}]}}',
        {"places": [Place("a")], "guest": {"name": "b"}, "tree": Node(1, [Node(2)])},
    ),
    (with_call, '{"city": "Oslo"}', {"city": "Oslo"}),
]


@pytest.mark.parametrize(("function", "sent", "taken"), FITS)
def test_arguments_are_taken_as_their_types(function: Callable[..., Any], sent: str, taken: dict[str, Any]) -> None:
    assert tool(function).parameters.decode(sent) == taken


UNFIT: list[tuple[Callable[..., Any], str, str]] = [
    (plain, "{}", "missing required field `city`"),
    (plain, "", "missing required field `city`"),
    (plain, "[]", "Expected `object`, got `array`"),
    (plain, '{"city": "Os', "no JSON"),
    (plain, "city=Oslo", "no JSON"),
    (defaults, '{"city": 1}', r'argument `city`: Expected `str`, got `int`. It takes {"type":"string"}'),
    (defaults, '{"city": "Oslo", "days": "2"}', "argument `days`: Expected `int`, got `str`"),
    (defaults, '{"city": "Oslo", "town": "2"}', "unknown field `town`"),
    (choices, '{"how": "well"}', """argument `how`: Invalid enum value 'well'. It takes {"enum":["fast","slow"]}"""),
    (
        choices,
        '{"how": "fast", "unit": "k"}',
        """argument `unit`: Invalid enum value 'k'. It takes {"$ref":"#/$defs/Unit","title":"Unit","enum":["c","f"]}""",
    ),
    (nested, '{"places": [{"name": "a"}, {"name": 1}]}', "argument `places[1].name`: Expected `str`, got `int`"),
    (described, '{"city": "Oslo", "days": 1, "note": ""}', "argument `note`: Expected `str` of length >= 1"),
    (known, '{"day": "tomorrow"}', "argument `day`: Invalid RFC3339 encoded date"),
    (evenly, '{"number": {"value": 3}}', "the arguments were refused: LookupError: 3 is odd"),
    (nested, '{"tree": ' + '{"value": 1, "children": [' * 2000, "nested too deeply"),
]


@pytest.mark.parametrize(("function", "sent", "told"), UNFIT, ids=range(len(UNFIT)))
def test_what_does_not_fit_is_told_to_the_model(function: Callable[..., Any], sent: str, told: str) -> None:
    with pytest.raises(BadArguments) as caught:
        tool(function).parameters.decode(sent)
    assert told in str(caught.value)


def test_what_is_quoted_of_the_model_is_bounded() -> None:
    for sent in ('{"' + "x" * 100_000 + '": 1}', '{"how": "' + "x" * 100_000 + '"}'):
        with pytest.raises(BadArguments) as caught:
            tool(choices).parameters.decode(sent)
        assert len(str(caught.value)) < 1000


def untyped(city) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 - that is what it is about


def positional(city: str, /) -> None: ...


def many(*cities: str) -> None: ...


def named(**cities: str) -> None: ...


def unknown(price: "Decimal") -> None: ...


def untold(shop: Shop) -> None: ...


def two_objects(where: Place | Guest) -> None: ...


def yields(city: str) -> Any:
    yield city


async def yields_async(city: str) -> Any:
    yield city


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (untyped, r"'city' of the tool 'untyped' has no type.*write `city: str`"),
    (Shop.order, r"'self' of the tool 'order' has no type.*tool\(thing.method\)"),
    (positional, "'city' of the tool 'positional' .* remove the `/`"),
    (many, "'cities' of the tool 'many' .* take a list"),
    (named, "'cities' of the tool 'named' .* take a dict"),
    (unknown, "'Decimal' is not defined. Import it at the top"),
    (untold, "the tool 'untold' has no JSON .*Shop.* Take text"),
    (two_objects, "the tool 'two_objects' has no JSON"),
    (yields, "'yields' yields: return"),
    (yields_async, "'yields_async' yields: return"),
    (tool(nothing), "Tool\\('nothing'\\) is a tool already"),
    (dict.fromkeys, "'iterable' of the tool 'fromkeys'"),
    (type, "nobody can tell what the tool"),
    (lambda: None, r"can't be called '<lambda>': .*tool\(name="),
]


@pytest.mark.parametrize(("function", "told"), REFUSED, ids=range(len(REFUSED)))
def test_a_function_that_a_model_cannot_call_is_refused_at_once(function: Callable[..., Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        tool(function)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "what now?"}, "can't be called 'what now"),
        ({"name": "x" * 65}, "can't be called 'xxx"),
        ({"timeout": 0}, "timeout of the tool 'nothing' is 0"),
        ({"timeout": float("inf")}, "timeout of the tool 'nothing' is inf"),
        ({"on_interrupt": "stop"}, "'stop', and has to be 'finish' or 'cancel'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        tool(**options)(nothing)
