"""Measured tables say what made them, and rise as what reads between their rows expects."""

from __future__ import annotations

import importlib.util
import json
from importlib.resources import files

import pytest

from detectors._data import measured

NAMES = sorted(
    entry.name.removesuffix(".json")
    for entry in files("detectors._data").iterdir()
    if entry.name.endswith(".json")
)


def test_there_are_tables() -> None:
    assert NAMES == ["adwin_alarms", "edetector_slack"]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_says_what_made_it(name: str) -> None:
    table = json.loads(files("detectors._data").joinpath(f"{name}.json").read_text())
    python, m, module = table["command"].split()
    assert (python, m) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    assert len(table["commit"]) >= 7
    assert table["what"]
    rows = measured(name)
    assert all(len(row) == len(table["columns"]) for row in rows)
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
