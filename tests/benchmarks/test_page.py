"""The page of the benchmarks: what is on it comes from what is kept, what we lose by as well as what we win by."""

from types import ModuleType

import msgspec

from benchmarks.__main__ import PAGE, load, read
from benchmarks.measures.base import Results, Verdict, markdown
from benchmarks.page import Kept, page


def measure(title: str, *verdicts: Verdict) -> ModuleType:
    """One that says how many it has counted."""

    def table(results: Results) -> str:
        return markdown(["side", "counted"], [[side, str(count)] for side, count in results["counted"].items()])

    def say(_results: Results) -> list[Verdict]:
        return list(verdicts)

    module = ModuleType("measure", f"How {title.lower()} are counted.")
    vars(module).update(TITLE=title, MINUTES=1.5, table=table, verdicts=say)
    return module


def test_a_page_says_what_was_found_and_where_we_lose() -> None:
    apples = measure(
        "Apples",
        Verdict("Apples: ours to theirs", "3 to 4", won=False),
        Verdict("Apples a day", "2", won=True, wanted="at least 1"),
    )
    pears = measure("Pears", Verdict("Pears a day", "0", won=False, wanted="at least 1"))
    versions = {"rtactors": {"rtactors": "0.1.0"}, "floor": {"msgspec": "0.19"}}
    kept = Kept(
        "2026-01-02",
        "a machine",
        0.5,
        2.1,
        {"counted": {"rtactors": 3, "floor": 4}, "versions": versions, "failed": {"worms": "eaten"}},
    )
    text = page({"apples": apples, "pears": pears, "plums": measure("Plums")}, {"pears": kept, "apples": kept})

    sections = text.split("\n## ")[1:]
    titles = [section.partition("\n")[0] for section in sections]
    assert titles == ["What was to be reached", "Where we lose", "Apples", "Pears", "Machines and versions", "Again"]
    wanted, lost, found, _, origins, again = sections
    assert "| Apples a day | at least 1 | 2 | yes |" in wanted
    assert "| Pears a day | at least 1 | 0 | **no** |" in wanted
    assert "ours to theirs" not in wanted
    assert lost.splitlines()[2:] == ["- Apples: ours to theirs: 3 to 4", "- Pears a day: 0 (to be reached: at least 1)"]
    assert "How apples are counted." in found
    assert "| floor | 4 |" in found
    assert "worms is missing where it failed: eaten" in found
    assert "| Pears | 2026-01-02 | a machine | 0.5 | 2 |" in origins
    assert "msgspec 0.19, rtactors 0.1.0." in origins
    assert "livekit-agents" in origins  # which was left out
    assert "takes 4 minutes" in again


def test_what_is_kept_can_be_read_again_and_has_a_line_for_each_number() -> None:
    kept = Kept("2026-01-02", "a machine", 0.5, 2.1, {"samples": [{"side": "floor", "us": 1.5}, {"side": "rtactors"}]})
    text = kept.text()
    assert msgspec.json.decode(text, type=Kept) == kept
    assert text.count("\n") == 12
    assert '{ "side": "floor", "us": 1.5 }' in text


def test_the_page_in_the_docs_is_that_of_the_results_that_are_kept() -> None:
    """Else `make docs` writes it again."""
    measures = load()
    assert PAGE.read_text("utf-8") == page(measures, read(measures))
