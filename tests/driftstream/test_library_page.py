"""The page for library users: its examples run, one after the other, and print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.S | re.M)
BLOCKS = [text for language, text in FENCED if language == "python"]
SHOWN = [text for language, text in FENCED if not language]
KAFKA = [block for block in BLOCKS if "localhost:9092" in block]


def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) > 5
    names: dict[str, object] = {"__name__": "example"}
    for block in BLOCKS:
        if block not in KAFKA:
            exec(compile(block, "docs/library.md", "exec"), names)
    printed = capsys.readouterr().out
    assert SHOWN
    assert all(text in printed for text in SHOWN), printed


def test_the_examples_on_kafka_are_run_on_a_broker() -> None:
    """By tests/integration/test_client.py."""
    assert len(KAFKA) == 1
