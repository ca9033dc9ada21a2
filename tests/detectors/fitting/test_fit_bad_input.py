"""Columns that a reference cannot be fitted to, or is in a way that docs/fit.md says.

Constant, empty and two-valued columns, texts among numbers, ten rows and shuffled times are in
test_reference.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from detectors import (
    CategoricalBinning,
    InvalidReferenceError,
    NumericBinning,
    Reference,
    fit_reference,
)

N = 600


def fit(**columns: Any) -> Reference:
    return fit_reference(columns, model="m")


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, object])
def test_huge_integers(dtype: Any) -> None:
    top = 2**63 - 1
    reference = fit(x=np.array([top, 0, 2**53 + 1] * (N // 3), dtype))
    binning = reference.signals[0].binning
    assert isinstance(binning, NumericBinning)
    assert binning.edges[-2:].tolist() == [2.0**63, np.nextafter(2.0**63, math.inf)]
    assert Reference.from_json(reference.to_json()).hash == reference.hash


def test_huge_integers_as_names_keep_every_digit() -> None:
    names = [2**63 - 1, 2**63 - 2] * (N // 2)
    reference = fit_reference({"x": names}, model="m", kinds={"x": "categorical"})
    binning = reference.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    assert binning.categories == (str(2**63 - 2), str(2**63 - 1))


@pytest.mark.parametrize("as_list", [False, True])
def test_infinities_are_missing_and_not_of_a_wrong_type(as_list: bool) -> None:
    column = np.array([np.inf, -np.inf, 1.0, np.nan] * (N // 4))
    signal = fit(x=column.tolist() if as_list else column).signals[0]
    assert signal.counts[signal.binning.missing] == N * 3 // 4
    assert signal.counts[signal.binning.invalid] == 0


def test_the_widest_and_the_least_numbers_have_a_finite_spread() -> None:
    top = np.finfo(np.float64).max
    wide, narrow = fit(wide=[top, -top] * (N // 2), narrow=[5e-324, 0.0] * (N // 2)).signals
    assert wide.std is not None
    assert 0.9 * top < wide.std <= top
    assert narrow.mean == pytest.approx(5e-324)
    assert np.isfinite(narrow.std)


def test_a_million_categories() -> None:
    names = [f"n{i}" for i in range(1_000_000)] + ["often"] * 50_000
    reference = fit(c=names)
    binning = reference.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    assert binning.categories[0] == "often"
    assert len(binning.categories) + len(binning.others) == 10_062
    assert reference.signals[0].counts[binning.new].sum() == 1_000_001 - 10_062
    assert len(reference.to_json()) < 200_000
    assert "too many names (1,000,001)" in " ".join(reference.warnings)


def test_features_of_the_same_values_are_said() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    reference = fit(
        x=x,
        other=rng.permutation(x),
        again=x.tolist(),
        a=["p", "q"] * (N // 2),
        b=["q", "p"] * (N // 2),
        c=["p", "q"] * (N // 2),
    )
    same = [w for w in reference.warnings if "same values" in w]
    assert same == [
        "again: has the same values as x; both alarm together. Leave one out",
        "c: has the same values as a; both alarm together. Leave one out",
    ]
    roles = {"x": "score", "again": "label"}
    reference = fit_reference({"x": x, "again": x}, model="m", roles=roles)
    assert not any("same values" in w for w in reference.warnings)


def test_columns_without_values_are_not_the_same() -> None:
    reference = fit(x=[None] * N, y=[None] * N)
    assert not any("same values" in w for w in reference.warnings)


@pytest.mark.parametrize("rows", [0, 1, 299])
def test_few_rows_are_refused_with_the_least_needed(rows: int) -> None:
    with pytest.raises(
        InvalidReferenceError, match=f"at least 300 rows, better 10,000; got {rows}"
    ):
        fit_reference({"x": np.arange(rows)}, model="m", times_ms=np.arange(rows))


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(InvalidReferenceError, match="got 600 rows, but 599 in 'y'"):
        fit(x=[1] * N, y=[1] * (N - 1))
    with pytest.raises(InvalidReferenceError, match=r"kinds\['z'\] must be of a column; got x"):
        fit_reference({"x": [1] * N}, model="m", kinds={"z": "numeric"})
