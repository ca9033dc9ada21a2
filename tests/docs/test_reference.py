"""The reference pages say what the code does."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stream.config.load import load_config
from stream.config.toml_table import Table
from stream.kafka.security import KEYS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    pages: dict[str, str] = runpy.run_path(str(REFERENCE / "generate.py"))["pages"]()
    return pages


@pytest.mark.parametrize("name", sorted(path.name for path in REFERENCE.glob("*.md")))
def test_pages_are_what_the_code_says(made: dict[str, str], name: str) -> None:
    assert (REFERENCE / name).read_text() == made[name], f"{name} is old: run make reference"


def test_every_page_is_written(made: dict[str, str]) -> None:
    assert {path.name for path in REFERENCE.glob("*.md")} == set(made)


def test_the_config_page_holds_a_config_that_loads(made: dict[str, str]) -> None:
    text = made["config.md"].split("```toml\n")[1].split("```")[0]
    assert set(tomllib.loads(text)) == {
        "kafka",
        "worker",
        "topics",
        "privacy",
        "models",
        "sources",
        "notify",
        "silences",
    }


def accepted(monkeypatch: pytest.MonkeyPatch, made: dict[str, str], tmp_path: Path) -> set[str]:
    """Every key that the loader's own tables take, while it reads the page's whole file."""
    taken: dict[str, set[str]] = {"kafka": set(KEYS)}
    begin = Table.__init__

    def opened(self: Table, values: Any, path: str, file: str, known: Any = ()) -> None:
        begin(self, values, path, file, known)
        taken.setdefault(re.sub(r"\[\d+\]", "", path), set()).update(known)

    monkeypatch.setattr(Table, "__init__", opened)
    text = made["config.md"].split("```toml\n")[1].split("```")[0]
    (tmp_path / "config.toml").write_text(text)
    files: dict[str, str] = runpy.run_path(str(REFERENCE / "words_config.py"))["FILES"]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    load_config(tmp_path / "config.toml", {})
    keys = {f"{path}.{key}".lstrip(".") for path, known in taken.items() for key in known}
    return keys - taken.keys() - {"models.signals"}


def described(page: str) -> set[str]:
    """Every key that a row of the page speaks of, with its table."""
    keys = set()
    for part in page.split("\n## [")[1:]:
        path = part.split("]")[0].lstrip("[").replace(".NAME", ".EXAMPLE")
        keys |= {f"{path}.{key}" for key in re.findall(r"^\| `(\w+)` \|", part, re.M)}
    return keys


def test_the_config_page_speaks_of_every_key_that_the_loader_takes(
    made: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = accepted(monkeypatch, made, tmp_path)
    assert described((REFERENCE / "config.md").read_text()) == keys
    assert {"models.stale_after", "kafka.client_id", "models.signals.EXAMPLE.kind"} <= keys


def test_a_key_that_the_whole_file_lacks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REFERENCE))
    pages = runpy.run_path(str(REFERENCE / "pages_config.py"))
    lacking = pages["ALL_TABLES"].replace('stale_after = "2d"\n', "")
    monkeypatch.setitem(pages["asked"].__globals__, "ALL_TABLES", lacking)
    with pytest.raises(ValueError, match=r"ALL_TABLES of words_config.py lacks models.stale_after"):
        pages["config_page"]()
