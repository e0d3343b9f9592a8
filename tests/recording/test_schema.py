"""The stated schema is that of the code, and recordings keep to it."""

from pathlib import Path
from typing import Any, cast

from msgspec import json

from rtactors.loopback.script import Call, Reply, Say
from rtactors.recording.json_schema import schema
from rtactors.testing.conversation import Conversation
from tests.recording.recorded import interrupted, record

FILE = Path(__file__).parents[2] / "docs" / "recording.schema.json"


def test_the_schema_in_docs_is_not_stale() -> None:
    assert json.decode(FILE.read_bytes()) == SCHEMA, "run `make docs`"


def faults(value: Any, rule: dict[str, Any], where: str = "$") -> list[str]:
    """Where a value does not keep to a rule: as much of JSON Schema as stands in ours."""
    if "$ref" in rule:
        return faults(value, SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]], where)
    found = _faults_of_any(value, rule["anyOf"], where) if "anyOf" in rule else []
    if "const" in rule and value != rule["const"]:
        found.append(f"{where} is {value}, not {rule['const']}")
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where} is {value}, none of {rule['enum']}")
    if "type" in rule and not isinstance(value, TYPES[rule["type"]]):
        found.append(f"{where} is {value}, not {rule['type']}")
    elif rule.get("type") == "object" and "properties" in rule:
        members = cast("dict[str, Any]", value)
        found += [f"{where}.{name} is missing" for name in rule.get("required", ()) if name not in members]
        found += [f"{where}.{name} is not in the schema" for name in members if name not in rule["properties"]]
        for name in members.keys() & rule["properties"].keys():
            found += faults(members[name], rule["properties"][name], f"{where}.{name}")
    elif rule.get("type") == "array" and isinstance(rule.get("items"), dict):
        for index, each in enumerate(value):
            found += faults(each, rule["items"], f"{where}[{index}]")
    return found


def _faults_of_any(value: Any, rules: list[dict[str, Any]], where: str) -> list[str]:
    """None if it keeps to one of them: first tried is what its tag names, so that dozens of others needn't be."""
    of_each: list[list[str]] = []
    for rule in sorted(rules, key=lambda rule: not _names(rule, value)):
        of_each.append(faults(value, rule, where))
        if not of_each[-1]:
            break
    return min(of_each, key=len)


def _names(rule: dict[str, Any], value: Any) -> bool:
    """Whether the type or the kind of a value is that of the rule."""
    name, tag = TAGS.get(rule.get("$ref", ""), ("", ""))
    return isinstance(value, dict) and cast("dict[str, Any]", value).get(name) == tag


SCHEMA: dict[str, Any] = json.decode(json.encode(schema()))
TAGS: dict[str, tuple[str, str]] = {
    f"#/$defs/{of}": (name, (rule["enum"] if "enum" in rule else [rule["const"]])[0])
    for of, definition in SCHEMA["$defs"].items()
    for name, rule in definition.get("properties", {}).items()
    if (name == "kind" and "enum" in rule) or (name == "type" and "const" in rule)
}
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": int | float,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def test_every_line_keeps_to_it() -> None:
    async def scene(talk: Conversation) -> None:
        await interrupted(talk)
        kept, *others = talk.session.history
        talk.removed.update(item.id for item in others)
        await talk.session.set_history([kept])

    reply = Reply(
        outputs=(Say(text="The first of two."), Say(text="And another one, longer."), Call(name="f", arguments="{}"))
    )
    data = record(scene, lambda _turn: reply)
    lines = data.splitlines()
    assert {json.decode(line)["kind"] for line in lines} > {"recording", "sent", "taken", "published", "socket", "over"}
    for line in lines:
        assert faults(json.decode(line), SCHEMA) == []


def test_a_line_that_does_not_is_found() -> None:
    header, first, *_ = record().splitlines()
    assert faults({**json.decode(header), "provider": 1}, SCHEMA) == ["$.provider is 1, not string"]
    assert faults({**json.decode(first), "more": 1}, SCHEMA) == ["$.more is not in the schema"]
