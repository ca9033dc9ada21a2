"""Rates by value of a segment, how far apart they are, and when that is a finding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.counting.outcome_cells import OutcomeCells
from detectors.outcomes.fairness import DISPARITIES, RATES, Limits, fairness
from tests.census import census_or_skip

CELLS = OutcomeCells("binary", actual="a", predicted="p", classes=("no", "yes"))


def outcomes(tp: int, fp: int, fn: int, tn: int) -> np.ndarray:
    return np.array([tn, fn, 0, fp, tp, 0, 0, 0, 0], np.int64)


def drawn(rng: np.random.Generator, n: int, base: float, tpr: float, fpr: float) -> np.ndarray:
    yes = rng.binomial(n, base)
    tp, fp = rng.binomial(yes, tpr), rng.binomial(n - yes, fpr)
    return outcomes(tp, fp, yes - tp, n - yes - fp)


ALIKE = {"f": outcomes(300, 100, 100, 500), "m": outcomes(300, 100, 100, 500)}


def test_rates_and_disparities_of_a_table() -> None:
    window = {"f": outcomes(200, 50, 200, 550), "m": outcomes(300, 180, 100, 420)}
    found = fairness(CELLS, window, ALIKE, alpha=0.01)
    assert {v: {name: m.value for name, m in of.items()} for v, of in found.rates.items()} == {
        "f": {
            "selection_rate": 0.25,
            "error_rate": 0.25,
            "true_positive_rate": 0.5,
            "false_positive_rate": pytest.approx(50 / 600),
        },
        "m": {
            "selection_rate": 0.48,
            "error_rate": 0.28,
            "true_positive_rate": 0.75,
            "false_positive_rate": pytest.approx(0.3),
        },
    }
    expected = {
        "demographic_parity_difference": (0.23, "f", 0.0, True),
        "demographic_parity_ratio": (0.25 / 0.48, "f", 1.0, True),
        "equal_opportunity_difference": (0.25, "f", 0.0, True),
        "false_positive_rate_difference": (0.3 - 50 / 600, "m", 0.0, True),
        "error_rate_difference": (0.03, "m", 0.0, False),
    }
    assert found.disparities.keys() == DISPARITIES.keys()
    for name, (value, worst, before, is_found) in expected.items():
        one = found.disparities[name]
        assert (one.lowest, one.highest, one.worst) == ("f", "m", worst)
        assert one.value == pytest.approx(value)
        assert one.reference == pytest.approx(before)
        assert one.low < one.value < one.high
        assert one.found == is_found, name
    assert not found.not_judged


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """56 of 70 and 48 of 80, his example (1998, table II (a)): .0524 to .3339."""
    reference = {v: 10 * counts for v, counts in ALIKE.items()}
    window = {"a": outcomes(560, 0, 0, 140), "b": outcomes(480, 0, 0, 320)}
    found = fairness(CELLS, window, reference, alpha=0.01, phi=dict.fromkeys(RATES, 10.0))
    one = found.disparities["demographic_parity_difference"]
    assert (one.low, one.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_the_interval_of_a_ratio_covers() -> None:
    rng = np.random.default_rng(31)
    inside, runs = 0, 1_500
    for _ in range(runs):
        window = {"f": drawn(rng, 150, 0.0, 0.5, 0.06), "m": drawn(rng, 400, 0.0, 0.5, 0.2)}
        one = fairness(CELLS, window, ALIKE, alpha=0.01).disparities["demographic_parity_ratio"]
        low, high = (one.low, one.high) if one.lowest == "f" else (1 / one.high, 1 / one.low)
        inside += low <= 0.3 <= high
    assert 0.94 * runs <= inside <= 0.97 * runs


def test_what_was_so_in_the_reference_is_no_finding() -> None:
    """Beyond the limit but not more than ever; more than ever but within the limit."""
    apart = {"f": outcomes(2_000, 500, 2_000, 5_500), "m": outcomes(3_000, 1_800, 1_000, 4_200)}
    same = fairness(CELLS, apart, apart, alpha=0.01)
    assert same.disparities["demographic_parity_difference"].value > 0.2
    assert not any(one.found for one in same.disparities.values())
    reverse = {"f": apart["m"], "m": apart["f"]}
    turned = fairness(CELLS, apart, reverse, alpha=0.01)
    one = turned.disparities["equal_opportunity_difference"]
    assert (one.found, one.reference) == (True, pytest.approx(-0.25))

    alike = {v: 10 * counts for v, counts in ALIKE.items()}
    wide = fairness(CELLS, apart, alike, alpha=0.01, limits=Limits(difference=0.5, ratio=0.1))
    assert not any(one.found for one in wide.disparities.values())


def test_small_values_are_shown_and_not_judged() -> None:
    window = {**ALIKE, "x": outcomes(0, 0, 90, 9), "y": outcomes(20, 20, 10, 60)}
    found = fairness(CELLS, window, ALIKE, alpha=0.01)
    assert found.rates["x"]["true_positive_rate"].value == 0.0
    assert found.not_judged == {
        "x": RATES,
        "y": ("true_positive_rate", "false_positive_rate"),
    }
    assert all("x" not in (one.lowest, one.highest) for one in found.disparities.values())
    one = found.disparities["demographic_parity_difference"]
    assert (one.lowest, one.highest) == ("y", "m")
    assert set(fairness(CELLS, {"f": ALIKE["f"]}, ALIKE, alpha=0.01).disparities) == set()


def test_a_value_without_a_reference_gives_no_finding() -> None:
    window = {"f": ALIKE["f"], "z": outcomes(0, 0, 400, 600)}
    found = fairness(CELLS, window, ALIKE, alpha=0.05).disparities
    assert found["demographic_parity_difference"].value == pytest.approx(0.4)
    assert all(one.reference is None and not one.found for one in found.values())


def test_nobody_selected_has_no_ratio() -> None:
    none = {"f": outcomes(0, 0, 400, 600), "m": outcomes(0, 0, 100, 900)}
    found = fairness(CELLS, none, ALIKE, alpha=0.01).disparities
    assert "demographic_parity_ratio" not in found
    assert found["demographic_parity_difference"].value == 0.0
    one_sided = {"f": outcomes(0, 0, 400, 600), "m": ALIKE["m"]}
    ratio = fairness(CELLS, one_sided, ALIKE, alpha=0.01).disparities["demographic_parity_ratio"]
    assert (ratio.value, ratio.low, ratio.found) == (0.0, 0.0, True)
    assert 0.0 < ratio.high < 0.05


@pytest.mark.parametrize("alpha", [0.2, 0.01])
def test_false_findings_are_no_more_than_alpha(alpha: float) -> None:
    """Five values that differ as they always did, every one beyond its limit already."""
    rng = np.random.default_rng(32)
    tpr = dict(zip("abcde", (0.3, 0.45, 0.6, 0.75, 0.9)))
    runs, found = 300, dict.fromkeys(DISPARITIES, 0)
    for _ in range(runs):
        reference = {v: drawn(rng, 3_000, 0.4, rate, rate - 0.2) for v, rate in tpr.items()}
        window = {v: drawn(rng, 1_000, 0.4, rate, rate - 0.2) for v, rate in tpr.items()}
        for name, one in fairness(CELLS, window, reference, alpha=alpha).disparities.items():
            found[name] += one.found
    most = stats.binom.isf(1e-3, runs, alpha)
    assert max(found.values()) <= most, found


def test_one_of_five_values_that_fares_worse_is_found_and_named() -> None:
    rng = np.random.default_rng(33)
    named = 0
    for _ in range(50):
        reference = {v: drawn(rng, 3_000, 0.4, 0.8, 0.1) for v in "abcde"}
        window = {v: drawn(rng, 1_000, 0.4, 0.55 if v == "c" else 0.8, 0.1) for v in "abcde"}
        one = fairness(CELLS, window, reference, alpha=1e-3).disparities[
            "equal_opportunity_difference"
        ]
        named += one.found and one.worst == "c"
    assert named >= 45


def test_several_classes_have_errors_alone() -> None:
    cells = OutcomeCells("multiclass", actual="a", predicted="p", classes=("x", "y", "z"))
    confusion = np.full((4, 4), 20, np.int64)
    better = confusion + np.diag([200, 200, 200, 0])
    found = fairness(
        cells, {"f": confusion.ravel(), "m": better.ravel()}, {"f": better.ravel()}, alpha=0.01
    )
    assert set(found.disparities) == {"error_rate_difference"}
    assert set(found.rates["f"]) == {"error_rate"}
    assert not found.not_judged


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="alpha must be"):
        fairness(CELLS, ALIKE, ALIKE, alpha=0.0)
    number = OutcomeCells("regression", actual="a", predicted="p")
    with pytest.raises(ValueError, match="a regression has none"):
        fairness(number, {}, {}, alpha=0.01)


@pytest.mark.parametrize("segment", ["sex", "race"])
def test_the_census_to_the_row(segment: str) -> None:
    data = census_or_skip()
    later, known = data.later, data.reference
    values = getattr(later, segment)
    window = {v: data.outcomes(later.take(values == v)) for v in np.unique(values).tolist()}
    before = {v: data.outcomes(known.take(getattr(known, segment) == v)) for v in window}
    found = fairness(data.cells, window, before, alpha=1e-3)
    said = later.score >= 0.5
    for value, rates in found.rates.items():
        of = values == value
        yes = of & (later.employed == 1)
        no = of & (later.employed == 0)
        for name, hits, among in (
            ("selection_rate", said, of),
            ("error_rate", said != (later.employed == 1), of),
            ("true_positive_rate", said, yes),
            ("false_positive_rate", said, no),
        ):
            rate = rates[name]
            assert rate.events == among.sum()
            assert rate.value * rate.events == pytest.approx((hits & among).sum(), abs=1e-6)
    assert sum(rates["error_rate"].events for rates in found.rates.values()) == 208_892
    parity = found.disparities["demographic_parity_difference"]
    selected = {v: said[values == v].mean() for v in window if (values == v).sum() >= 100}
    assert parity.value == pytest.approx(max(selected.values()) - min(selected.values()))
    assert not any(one.found for one in found.disparities.values()), found.disparities
