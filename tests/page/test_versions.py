"""Versions of a model side by side: one sees where the new one differs."""

from __future__ import annotations

import random

import msgspec
import pytest

from stream.page.page_model import page_model_of
from stream.page.versions import MAX_VERSIONS
from tests.page.test_page import state_after
from tests.stream.harness import START_S
from tests.stream.metrics.test_metrics import FileState


def two_versions(*names: str, n: int = 1_200, private: bool = False) -> FileState:
    """The last has a larger x and another c."""
    rng = random.Random(2)
    events = []
    for i in range(n):
        for name in names:
            new = name == names[-1]
            events.append(
                msgspec.json.encode(
                    {
                        "model": {"name": "fraud", "version": name},
                        "timestamp": START_S + i,
                        "features": {
                            "x": rng.gauss(2.0 if new else 0.0, 1.0),
                            "z": rng.lognormvariate(0, 1),
                            "c": rng.choices("abd", (1, 8, 1) if new else (5, 3, 2))[0],
                        },
                        "prediction": {"score": rng.random()},
                        "segments": {"region": "eu"},
                    }
                )
            )
    return state_after(events, private=private)


def test_the_signals_of_each_stand_beside_each_other() -> None:
    state = two_versions("1", "2")
    said = page_model_of(state, "fraud", "1", 0).versions
    assert said is not None
    assert (said.model, said.versions) == ("fraud", ["1", "2"])
    assert said.references[0] == said.references[1]
    rows = {row.signal: row.cells for row in said.rows}
    assert set(rows) == {"x", "z", "c", "score"}
    assert said.rows[0].signal in ("x", "c")
    old, new = rows["x"]
    assert old is not None
    assert new is not None
    assert old.ratio < 1 < new.ratio
    assert float(old.typical.removeprefix("median ")) == pytest.approx(0.0, abs=0.3)
    assert float(new.typical.removeprefix("median ")) == pytest.approx(2.0, abs=0.3)
    assert [cell and cell.typical.partition(" ")[0] for cell in rows["c"]] == ["'a'", "'b'"]
    chosen = page_model_of(state, "fraud", "2", 0).versions
    assert chosen is not None
    assert chosen.versions == ["2", "1"], "the one that is looked at comes first"


def test_one_version_alone_has_nothing_beside_it() -> None:
    assert page_model_of(two_versions("1"), "fraud", "1", 0).versions is None


def test_a_few_are_shown_and_the_others_counted() -> None:
    said = page_model_of(two_versions(*"1234567"), "fraud", "5", 0).versions
    assert said is not None
    assert said.versions[0] == "5"
    assert len(said.versions) == MAX_VERSIONS
    assert said.more_versions == 7 - MAX_VERSIONS
    assert all(len(row.cells) == MAX_VERSIONS for row in said.rows)


def test_a_private_model_shows_no_values() -> None:
    said = page_model_of(two_versions("1", "2", private=True), "fraud", "1", 0).versions
    assert said is not None
    assert {cell.typical for row in said.rows for cell in row.cells if cell} == {""}
    assert max(cell.ratio for row in said.rows for cell in row.cells if cell) > 1
