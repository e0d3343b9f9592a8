"""What holds for every file of the project: it says what it is for, leaves nothing for later, and stands alone."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import rtactors

ROOT = Path(__file__).parent.parent
MADE = {"build", "dist", "demo-output", "__pycache__"}  # and whatever starts with a dot, except .ci
DRAWERS = {"common", "helpers", "misc", "util", "utils"}  # names for files that have no purpose of their own


def is_source(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return path.is_file() and not any(part in MADE or (part.startswith(".") and part != ".ci") for part in parts)


FILES = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*") if is_source(path)}
CODE = sorted(name for name in FILES if name.endswith(".py"))
PAGES = sorted(name for name in FILES if name.endswith(".md"))

# Each pattern has a class of one letter in it, so that it doesn't find itself.
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E])\b")
ELSEWHERE = re.compile(
    r"py[p]i\.(org|io)|python[h]osted\.|npm[j]s\.|anacond[a]\.org"  # registries: whoever installs chooses the host
    r"|(?<![\w.~-])/(hom[e]|Users|roo[t]|wor[k]|op[t]|mn[t])/\w"  # paths of somebody's machine
    r"|\.\./share[d]\b"
)  # fmt: skip


def lines_with(pattern: re.Pattern[str], name: str) -> list[str]:
    try:
        lines = FILES[name].read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:  # a picture or a sound
        return []
    return [f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)]


@pytest.mark.parametrize("name", CODE)
def test_code_says_what_it_is_for(name: str) -> None:
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, f"{name} has no docstring"
    assert Path(name).stem not in DRAWERS, f"{name} is named after nothing"


@pytest.mark.parametrize("name", sorted(FILES))
def test_file_is_finished_and_stands_alone(name: str) -> None:
    assert not lines_with(UNFINISHED, name)
    assert not lines_with(ELSEWHERE, name)


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name: str) -> None:
    page = FILES[name]
    targets = re.findall(r"\]\((?!\w+:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_tests_named_by_the_scenarios_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", FILES["docs/scenarios.md"].read_text(encoding="utf-8"))
    assert not [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]


def test_each_scenario_names_its_test() -> None:
    rows = re.findall(
        r"^\| ([CDE]\d[^|]*) \|.*\| (.*) \|$", FILES["docs/scenarios.md"].read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 30
    assert not [number for number, test in rows if "::" not in test]


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.startswith("locks/")))
def test_lock_is_whole(name: str) -> None:
    """Every package has a version and at least one sha256, and no option names an index, a file or a folder."""
    packages = FILES[name].read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    packages = [line for line in packages if not line.strip().startswith("#")]
    whole = re.compile(r"[\w.-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert packages
    assert not [line for line in packages if not whole.fullmatch(line)]


def test_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rtactors.__version__ == project["version"]
    assert f"## [{project['version']}]" in FILES["CHANGELOG.md"].read_text(encoding="utf-8")
