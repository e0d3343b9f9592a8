"""`python -m benchmarks.measures.size`, so short that it is a test: everything is measured, and the page has it."""

import pytest

from benchmarks.measures import size
from benchmarks.measures.base import Options

pytestmark = pytest.mark.disk


def test_it_measures_all_of_it_and_says_so() -> None:
    results = size.measure(Options({}, quick=True))
    assert all(sample["us"] > 0 for sample in results["samples"] if sample["part"] != "record")
    table = size.table(results)
    for what in (*size.CHANGES, size.UNTOLD, *size.WHOLE, "heard", "skipped", "SqliteJournal"):
        assert what in table
    [verdict] = size.verdicts(results)
    assert "100 items" in verdict.what
