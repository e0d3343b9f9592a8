"""What stands in docs/pipelines.md is taken from the examples, which are run."""

import re
from pathlib import Path

from rtactors import mail
from rtactors.pipeline import Pipeline

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_code_is_an_examples() -> None:
    examples = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").glob("*.py")]
    assert len(CODE) == 2
    for code in CODE:
        assert any(code in example for example in examples), f"in no example: {code}"


def test_every_place_is_explained() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(Pipeline.__struct_fields__)
    assert set(re.findall(r"\(\[(\w+)\]\)", PAGE)) == set(Pipeline.__struct_fields__)


def test_names_of_mail_are_real() -> None:
    for name in re.findall(r"`(\w+Mail)`", PAGE):
        assert hasattr(mail, name)
