"""docs/architecture.md, "Where is ...?": the files are there, and what is in them is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| `([^`|]+)` \| `([^`|]+)` \|$", PAGE, re.M)


def test_every_row_is_read() -> None:
    section = PAGE.partition("## Where is ...?\n")[2].partition("\n## ")[0]
    assert len(ROWS) == section.count("\n| ") - 2 >= 16


@pytest.mark.parametrize(("question", "path", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_an_answer_is_true(question: str, path: str, name: str) -> None:
    defined = rf"^ *(class|def) {name}\b|^ *{name}: |\"{name}"
    assert re.search(defined, (ROOT / path).read_text(), re.M), f"{name} is not in {path}"
