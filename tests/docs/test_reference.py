"""The reference pages say what the code does."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    pages: dict[str, str] = runpy.run_path(str(REFERENCE / "generate.py"))["pages"]()
    return pages


@pytest.mark.parametrize("name", ["config.md", "cli.md", "metrics.md", "schemas.md"])
def test_pages_are_what_the_code_says(made: dict[str, str], name: str) -> None:
    assert (REFERENCE / name).read_text() == made[name], f"{name} is old: run make reference"


def test_every_page_is_written(made: dict[str, str]) -> None:
    assert {path.name for path in REFERENCE.glob("*.md")} == set(made)


def test_the_config_page_holds_a_config_that_loads(made: dict[str, str]) -> None:
    text = made["config.md"].split("```toml\n")[1].split("```")[0]
    assert set(tomllib.loads(text)) == {
        "kafka", "worker", "topics", "privacy", "models", "notify", "silences"
    }  # fmt: skip
