"""Comparisons: they find what changed, keep to their alpha where nothing did, and leave a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from detectors import WindowBank
from driftstream import Comparison, InvalidReferenceError, Seasons, compare, fit_reference
from tests.driftstream.conftest import Made


def test_it_finds_what_changed_and_nothing_else(made: Made) -> None:
    train = made(10_000, 1)
    assert compare(train, made(2_000, 2), timestamp="ts").drifted == ()
    moved = made(2_000, 3, shift=0.4, share=0.5)
    moved.loc[moved.index[::20], "age"] = np.nan
    found = compare(train, moved, timestamp="ts")
    assert set(found.drifted) == {"amount", "country", "age"}
    assert found.drifted[0] == min(found, key=lambda column: column.p_value).name
    assert found["age"].test == "missing_rate"
    assert "missing 0 % -> 5 %" in found["age"].change
    assert found["amount"].severity in ("warning", "critical")
    assert (found["member"].drifted, found["member"].change, found["member"].severity) == (
        False,
        "",
        "",
    )


def test_unseen_names_and_wrong_types_are_found(made: Made) -> None:
    reference = fit_reference(made(5_000, 1), timestamp="ts")
    window = made(1_000, 2)
    window.loc[window.index[:50], "country"] = "XX"
    window["amount"] = [*window.amount.tolist()[:-50], *["n/a"] * 50]
    found = compare(reference, window)
    assert found["country"].test == "unseen_rate"
    assert found["amount"].test == "invalid_rate"


def test_the_tests_are_those_of_a_worker(made: Made) -> None:
    """The same statistic as of counts that are made by hand."""
    train, window = made(5_000, 1), made(1_000, 2, shift=0.2)
    reference = fit_reference(train, timestamp="ts", ignore=["country", "member", "label", "age"])
    bank = WindowBank(reference)
    edges = reference.signals[0].binning.edges  # type: ignore[union-attr]
    inside = np.histogram(window.amount, np.r_[-np.inf, edges, np.inf])[0]
    result = bank.test(np.r_[len(window), inside, 0, 0], 0.01)
    found = compare(reference, window, alpha=0.01)
    for row, test in enumerate(found["amount"].tests):
        assert test.test == result.test(row)
        assert test.value == pytest.approx(result.value[row])
        assert test.p_value == pytest.approx(result.p_value[row])
        assert test.drifted == result.found[row]


def null_share(alpha: float, trials: int, make: Any) -> tuple[float, float]:
    """Shares of comparisons without change that name a column, and with a p-value of alpha."""
    named = small = 0
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        found = compare(make(rng, 3_000), make(rng, 600), alpha=alpha)
        named += bool(found.drifted)
        small += min(column.p_value for column in found) <= alpha
    return named / trials, small / trials


def independent(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    return {
        "normal": rng.normal(size=rows),
        "skewed": rng.lognormal(size=rows),
        "few": rng.poisson(2, rows),
        "name": rng.choice(list("abcde"), rows, p=[0.4, 0.3, 0.2, 0.07, 0.03]),
    }


def dependent(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    values = np.empty(rows)
    last = rng.normal()
    for i, noise in enumerate(rng.normal(size=rows).tolist()):
        last = 0.8 * last + 0.6 * noise
        values[i] = last
    return {"x": values}


def test_p_values_are_honest() -> None:
    """At most alpha of comparisons name anything, and not so few that alpha means nothing."""
    alpha, trials = 0.2, 200
    for share in null_share(alpha, trials, independent):
        assert 0.02 <= share <= alpha + 3 * (alpha * (1 - alpha) / trials) ** 0.5


def test_p_values_are_honest_where_rows_depend_on_each_other() -> None:
    alpha, trials = 0.2, 80
    named, _ = null_share(alpha, trials, dependent)
    assert named <= alpha + 3 * (alpha * (1 - alpha) / trials) ** 0.5
    shuffled = 0
    for seed in range(trials):  # the memory is lost to the reference: it must be worse
        rng = np.random.default_rng(seed)
        train = {"x": rng.permutation(dependent(rng, 3_000)["x"])}
        shuffled += bool(compare(train, dependent(rng, 600), alpha=alpha).drifted)
    assert shuffled / trials > 2 * alpha


def test_an_alarm_at_alpha_is_a_p_value_below_it(made: Made) -> None:
    train = fit_reference(made(5_000, 1), timestamp="ts")
    seen = set()
    for step, seed in enumerate(range(20, 60)):
        for column in compare(train, made(800, seed, shift=0.01 * step), alpha=0.05):
            if column.drifted:
                assert column.p_value <= 0.05
            seen.add(column.drifted)
    assert seen == {True, False}


def test_other_tests_can_be_chosen(made: Made) -> None:
    train, window = made(5_000, 1), made(1_000, 2, shift=0.5)
    found = compare(train, window, timestamp="ts", columns=["amount", "age"], tests=["ks", "psi"])
    assert [test.test for test in found["amount"].tests] == ["psi", "ks"]
    assert found.drifted == ("amount",)
    each = compare(train, window, timestamp="ts", tests={"country": ["chi2"]})
    assert [test.test for test in each["country"].tests] == ["chi2"]
    assert {test.test for test in each["age"].tests} >= {"psi", "missing_rate"}


def test_it_reads_as_a_table_and_as_rows(made: Made) -> None:
    found = compare(made(5_000, 1), made(1_000, 2, shift=0.5), timestamp="ts")
    head, first, *_ = repr(found).splitlines()
    assert head == "1 of 5 columns drifted: 1,000 rows against 5,000, alpha 0.01"
    assert first.split()[:2] == ["amount", found["amount"].severity]
    table = pd.DataFrame(found.rows())
    assert set(table.column) == set(found.columns)
    assert table.query("column == 'amount' and test == 'psi'").drifted.all()
    assert isinstance(found, Comparison)
    assert len(found) == 5


def test_what_is_not_compared_is_said(made: Made, tmp_path: Path) -> None:
    train = made(5_000, 1)
    train["empty"] = np.nan
    reference = fit_reference(train, timestamp="ts")
    window = made(60, 2)
    window["empty"], window["brand_new"] = 1.0, 1
    found = compare(reference, window)
    notes = " | ".join(found.notes)
    assert "the reference has no such column: 'brand_new'" in notes
    assert "'ts'" not in notes
    assert "amount: not tested by psi: the window has 60 values of it, and 100 are needed" in notes
    assert "empty: not tested by psi" in notes
    assert "reference has no values of it" in notes
    ordered = pd.DataFrame({"x": np.sort(np.random.default_rng(1).normal(size=2_000))})
    assert any("dependence between rows" in note for note in compare(ordered, ordered).notes)
    (tmp_path / "reference.json").write_bytes(reference.to_json())
    assert compare(tmp_path / "reference.json", window).columns == found.columns


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.5}, "alpha must be between 0 and 0.5; got 0.5"),
        ({"columns": ["amuont"]}, "the reference has no column 'amuont'. Did you mean 'amount'"),
        ({"columns": []}, "columns must name at least one"),
        ({"tests": "ks"}, r"tests must be a list of names; got 'ks'. Write \['ks'\]"),
        ({"tests": ["kolmogorov"]}, "there is no test 'kolmogorov'. Choose among psi"),
        ({"tests": ["ks"]}, "none of the tests ks is for 'country', which is categorical. Add psi"),
        ({"tests": {"amuont": ["ks"]}}, "tests has no column 'amuont'"),
        ({"timestamp": "ts"}, "timestamp and kinds are for a frame"),
    ],
)
def test_wrong_use_is_answered_in_words(made: Made, options: dict[str, Any], words: str) -> None:
    reference = fit_reference(made(1_000, 1), timestamp="ts")
    with pytest.raises(ValueError, match=words):
        compare(reference, made(500, 2), **options)


def test_a_window_that_does_not_suit_is_refused(made: Made) -> None:
    reference = fit_reference(made(1_000, 1), timestamp="ts")
    with pytest.raises(ValueError, match=r"window has no column 'amount'.* columns= names"):
        compare(reference, made(500, 2).drop(columns="amount"))
    with pytest.raises(ValueError, match=r"window has no rows"):
        compare(reference, made(500, 2).iloc[:0])
    with pytest.raises(InvalidReferenceError, match=r"not JSON"):
        compare(__file__, made(500, 2))


def test_seasons_are_for_replay() -> None:
    hours = np.arange(60 * 24 * 6)
    load = np.sin(2 * np.pi * hours / 144) + np.random.default_rng(0).normal(0, 0.3, hours.size)
    times = pd.date_range("2026-01-01", periods=hours.size, freq="10min", tz="UTC")
    frame = pd.DataFrame({"load": load}, index=times)
    reference = fit_reference(frame, seasons=Seasons("auto"))
    with pytest.raises(ValueError, match=r"the reference has seasons.* replay does that"):
        compare(reference, frame.iloc[:1_000])


def test_what_is_derived_is_no_column_of_a_frame() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(1_000)
    frame = {"score": score, "truth": np.where(rng.random(1_000) < score, "yes", "no")}
    reference = fit_reference(frame, model="m", score="score", actual="truth")
    found = compare(reference, frame)
    assert [each.name for each in found] == ["score", "truth"]
    assert "whether predictions are right is not compared" in " ".join(found.notes)
