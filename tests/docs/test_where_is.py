"""docs/architecture.md: the files that its tables name are there, with what they say is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| `([^`|]+)` \| `([^`|]+)` \|$", PAGE, re.M)


def test_every_row_is_read() -> None:
    tables = re.findall(r"\| In \| Under \|\n\| --- .*\n((?:\|.*\n)+)", PAGE)
    assert len(ROWS) == sum(table.count("\n") for table in tables) >= 16
    assert len(tables) == 2


@pytest.mark.parametrize(("question", "path", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_an_answer_is_true(question: str, path: str, name: str) -> None:
    defined = rf"^ *(class|def) {name}\b|^ *{name}: |\"{name}"
    assert re.search(defined, (ROOT / path).read_text(), re.M), f"{name} is not in {path}"
