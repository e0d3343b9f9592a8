"""All measures, one page.

    python -m benchmarks [--only cpu,barge_in] [--quick]

Each measure's results are kept in `benchmarks/results/NAME.json`; the page of all that is kept is printed, and written
to `docs/benchmarks.md`. A quick run keeps and writes nothing. It ends with 1 if a measure failed: it then says why, and
the page has what was kept of it before.
"""

import os
import sys
import time
import traceback
from argparse import ArgumentParser
from importlib import import_module
from types import ModuleType

import msgspec

from benchmarks.environments import ROOT
from benchmarks.lineup import lineup
from benchmarks.measures.base import Options
from benchmarks.page import Kept, keep, page

NAMES = (
    "cpu",
    "calls_per_core",
    "barge_in",
    "memory",
    "collector",
    "faithfulness",
    "size",
    "start",
)
"""The modules of `benchmarks.measures`, in the order of the page."""
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(NAMES)}; or none: the page again")
    parser.add_argument("--quick", action="store_true", help="see that all of it works; keep nothing")
    arguments = parser.parse_args()
    only = NAMES if arguments.only is None else [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(NAMES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")

    measures = load()
    kept = {} if arguments.quick else read()
    options = Options(lineup(), quick=arguments.quick)
    failed: list[str] = []
    for name in only:
        print(f"{name}: {measures[name].MINUTES} minutes at most", file=sys.stderr)
        busy, *_ = os.getloadavg()
        began = time.monotonic()
        try:
            kept[name] = keep(measures[name].measure(options), busy, (time.monotonic() - began) / 60)
        except Exception:  # noqa: BLE001 - one measure that fails is told, and costs none of the others
            failed.append(name)
            traceback.print_exc()
            continue
        if not arguments.quick:
            (RESULTS / f"{name}.json").write_text(kept[name].text(), encoding="utf-8")

    text = page(measures, kept)
    print(text)
    if not arguments.quick:
        PAGE.write_text(text, encoding="utf-8")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def load() -> dict[str, ModuleType]:
    return {name: import_module(f"benchmarks.measures.{name}") for name in NAMES}


def read() -> dict[str, Kept]:
    files = {name: RESULTS / f"{name}.json" for name in NAMES}
    return {name: msgspec.json.decode(file.read_bytes(), type=Kept) for name, file in files.items() if file.exists()}


if __name__ == "__main__":
    sys.exit(main())
