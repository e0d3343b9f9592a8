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
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

import msgspec

from benchmarks.environments import ROOT
from benchmarks.lineup import lineup
from benchmarks.measures.base import Options
from benchmarks.page import Kept, keep, page, section

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
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(NAMES)}; --only= makes the page again")
    parser.add_argument("--quick", action="store_true", help="see that all of it works; keep nothing")
    arguments = parser.parse_args()
    only = NAMES if arguments.only is None else [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(NAMES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")

    if not arguments.quick and (closed := [path for path in (RESULTS, PAGE) if not os.access(path, os.W_OK)]):
        parser.error(f"can't write {' and '.join(map(str, closed))}: nothing would be kept (--quick keeps nothing)")

    measures = load()
    kept = {} if arguments.quick else read(measures)
    options = Options(lineup() if only else {}, quick=arguments.quick)
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
        except KeyboardInterrupt:
            rest = "" if arguments.quick else "; what was measured before is kept, and --only= makes the page of it"
            sys.exit(f"interrupted in {name}{rest}")
        if not arguments.quick:
            (RESULTS / f"{name}.json").write_text(kept[name].text(), encoding="utf-8")

    text = page(measures, kept)
    if not arguments.quick:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def load() -> dict[str, ModuleType]:
    return {name: import_module(f"benchmarks.measures.{name}") for name in NAMES}


def read(measures: Mapping[str, ModuleType]) -> dict[str, Kept]:
    """What can be shown of what is kept; says what can't."""
    kept: dict[str, Kept] = {}
    for name, measure in measures.items():
        file = RESULTS / f"{name}.json"
        if file.exists():
            try:
                found = msgspec.json.decode(file.read_bytes(), type=Kept)
                section(measure, found)
                measure.verdicts(found.results)
            except Exception as error:  # noqa: BLE001 - what an older version wrote can fail a table in any way
                why = f"{type(error).__name__}: {error}"
                print(f"{file} is left out, damaged or of an older version ({why}); --only {name}", file=sys.stderr)
            else:
                kept[name] = found
    return kept


if __name__ == "__main__":
    sys.exit(main())
