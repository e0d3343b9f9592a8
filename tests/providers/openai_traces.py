"""The golden traces, frame by frame."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

FOLDER = Path(__file__).parent.parent / "golden"


class Line(NamedTuple):
    trace: str
    number: int
    dir: Literal["c", "s"]
    event: dict[str, Any]

    @property
    def frame(self) -> str:
        return json.dumps(self.event)

    def __str__(self) -> str:
        return f"{self.trace}:{self.number}:{self.event['type']}"


def trace(name: str) -> list[Line]:
    with (FOLDER / f"{name}.jsonl").open(encoding="utf-8") as file:
        read = [json.loads(line) for line in file]
    return [Line(name, number, line["dir"], line["event"]) for number, line in enumerate(read, start=1)]


NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
LINES = [line for name in NAMES for line in trace(name)]
FROM_SERVER = [line for line in LINES if line.dir == "s"]
FROM_CLIENT = [line for line in LINES if line.dir == "c"]
