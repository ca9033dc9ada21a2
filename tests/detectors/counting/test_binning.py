from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectors import CategoricalBinning, Layout, NumericBinning, accumulate, category_text
from detectors.counting.category_sketch import name_hash
from tests.oracles import bins as naive

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-5, 5).map(float)
samples = hnp.arrays(np.float64, st.integers(0, 300), elements=numbers)


@given(samples)
def test_a_fitted_binning_is_valid_and_holds_its_sample(values: np.ndarray) -> None:
    binning = NumericBinning.fit(values)
    finite = values[np.isfinite(values)]
    assert 1 <= binning.edges.size <= 65
    assert (np.diff(binning.edges) > 0).all()
    if finite.size:
        inside = binning.bin(finite[np.abs(finite) < 1e308])
        assert ((inside > binning.below) & (inside < binning.above)).all()


@given(samples, hnp.arrays(np.float64, st.integers(1, 50), elements=numbers))
def test_bins_positions_and_the_naive_twin_agree(sample: np.ndarray, values: np.ndarray) -> None:
    binning = NumericBinning.fit(sample)
    layout = Layout({"a": CategoricalBinning(("x",)), "b": binning})
    codes = np.zeros((values.size, 1), np.int32)
    got = layout.positions(values[:, None], codes)[:, 1]
    edges = binning.edges.tolist()
    for value, position, direct in zip(values.tolist(), got, binning.bin(values), strict=True):
        expected = naive.bin_of_number(value, edges)
        if expected is None:
            assert position == -1
        else:
            assert position == layout.start[1] + expected == layout.start[1] + direct


@given(st.data())
def test_accumulate_equals_its_twin_and_counts_form_a_monoid(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    positions = data.draw(hnp.arrays(np.int32, (n, 3), elements=st.integers(-1, 9)))
    slots = data.draw(hnp.arrays(np.int32, n, elements=st.integers(-1, 2)))
    whole = np.zeros((3, 10), np.int64)
    accumulate(positions, slots, whole)
    assert whole.tolist() == naive.count(positions.tolist(), slots.tolist(), 3, 10)
    parts = np.zeros((3, 10), np.int64)
    cut = data.draw(st.integers(0, n))
    order = data.draw(st.permutations([slice(0, cut), slice(cut, n)]))
    for part in order:
        accumulate(positions[part], slots[part], parts)
    assert (parts == whole).all()


@given(hnp.arrays(np.int64, 8, elements=st.integers(0, 1000)))
def test_scores_are_mid_ranks(counts: np.ndarray) -> None:
    binning = NumericBinning(np.arange(5.0))
    scores = binning.scores(counts)
    assert scores[: binning.missing].tolist() == naive.mid_rank_scores(counts[:6].tolist())
    assert scores[binning.missing :].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([], [0.0]),
        ([math.nan, math.inf, -math.inf], [0.0]),
        ([3.0] * 10, [3.0, np.nextafter(3.0, np.inf)]),
        ([0.0, 1.0], [0.0, 5e-324, 1.0, np.nextafter(1.0, np.inf)]),
    ],
)
def test_edges_of_few_values(values: list[float], edges: list[float]) -> None:
    assert NumericBinning.fit(np.array(values)).edges.tolist() == edges


@given(samples)
def test_edges_are_those_of_the_naive_twin(values: np.ndarray) -> None:
    finite = sorted(v + 0.0 for v in values.tolist() if math.isfinite(v))
    assert NumericBinning.fit(values).edges.tolist() == naive.edges(finite)


@pytest.mark.parametrize("seed", range(4))
def test_which_zeros_have_a_sign_is_not_seen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=3_000), seed % 2)
    zeros = values == 0.0
    first, second = (np.where(zeros, rng.choice([0.0, -0.0], values.size), values) for _ in "ab")
    one, other = (NumericBinning.fit(v).edges for v in (first, second))
    assert zeros.sum() > 50
    assert one.tobytes() == other.tobytes()


def test_heavy_atoms_own_a_bin() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(5_000), rng.lognormal(size=5_000)])
    binning = NumericBinning.fit(values)
    at_zero = binning.bin(np.array([0.0, 1e-12]))
    assert at_zero[0] != at_zero[1]
    assert np.bincount(binning.bin(values))[at_zero[0]] == 5_000


def test_the_greatest_float_can_be_a_value() -> None:
    binning = NumericBinning.fit(np.array([0.0, np.finfo(np.float64).max]))
    assert np.isfinite(binning.edges).all()


def test_quantile_bins_hold_equal_shares() -> None:
    values = np.random.default_rng(1).normal(size=64_000)
    binning = NumericBinning.fit(values)
    counts = np.bincount(binning.bin(values), minlength=binning.n_bins)
    assert counts[1:65].tolist() == [1000] * 64
    assert counts[[0, 65, 66, 67]].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([1.0, 1.0], r"edges must increase; got .* at \[1\]"),
        ([], "1 to 65"),
        (list(range(66)), "1 to 65"),
        ([0.0, math.nan], "finite"),
    ],
)
def test_wrong_edges_are_refused(edges: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NumericBinning(np.array(edges, np.float64))


def test_categories_by_frequency_then_name() -> None:
    values = ["b", "a", *"c" * 40, None, True, *[3.0, 3] * 20, *["a"] * 20]
    binning = CategoricalBinning.fit(values, max_categories=3)
    assert binning.categories == ("3", "c", "a")
    assert binning.others == ("b", "true")
    tail = [name_hash(name) % 64 for name in ("b", "true")]
    assert binning.code == {"3": 0, "c": 1, "a": 2, "b": 3 + tail[0], "true": 3 + tail[1]}
    labels = [binning.label(b) for b in range(binning.n_bins)]
    assert labels[:4] == ["3", "c", "a", "other 1"]
    assert labels[66:68] == ["other 64", "unseen 1"]
    assert labels[-3:] == ["unseen 64", "missing", "wrong type"]
    few = CategoricalBinning.fit(values)
    assert [few.label(b) for b in range(5, few.n_bins)] == [
        "other",
        "unseen",
        "missing",
        "wrong type",
    ]


names_in_tail = st.lists(st.text(max_size=12), min_size=63, max_size=90, unique=True)


@given(names_in_tail, st.lists(st.text(max_size=12), max_size=40))
def test_every_name_has_one_bin_and_keeps_it(known: list[str], new: list[str]) -> None:
    """Names never seen fall into the tail bin that they would have had if they were known."""
    binning = CategoricalBinning.fit(known)
    assert binning.tail == 64
    assert sorted((*binning.categories, *binning.others)) == sorted(known)
    for name in known:
        b = binning.bin(name)
        assert b == binning.code[name]
        if name in binning.others:
            assert b == binning.other + name_hash(name) % 64
    for name in set(new) - set(known):
        assert binning.bin(name) == binning.unseen + name_hash(name) % 64
        assert binning.bin(name) in binning.new


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"tail": 60}, "tail must be 1 or a multiple of 8 up to 64; got 60"),
        ({"tail": 128}, "up to 64; got 128"),
        ({"tail": 64, "places": (1,)}, "places must be as many as others, 2; got 1"),
        ({"tail": 8, "places": (1, 8)}, "places must be 0 to 7"),
    ],
)
def test_wrong_tails_are_refused(made: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CategoricalBinning(("a",), ("b", "c"), **made)


def test_names_that_are_about_as_frequent_are_not_chosen_by_their_counts() -> None:
    """Else the lucky ones are bins and the unlucky ones others: drift where there is none."""
    rng = np.random.default_rng(0)
    names = rng.integers(0, 100, 10_000)
    binning = CategoricalBinning.fit(["often"] * 1_000 + [str(n) for n in names])
    assert binning.categories[0] == "often"
    assert len(binning.categories) == 62
    share = np.isin(names.astype(str), binning.categories).mean()
    assert share == pytest.approx(0.61, abs=0.015)  # of the most frequent ones it would be .66


def test_too_many_names_are_forgotten() -> None:
    binning = CategoricalBinning.fit(str(i) for i in range(20_000))
    assert binning.categories == ()  # all came once: which of them would be chance
    assert len(binning.others) == 10_062


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("DE", "DE"),
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (0.5, "0.5"),
        (None, None),
        (math.nan, None),
        (np.int64(4), "4"),
        (np.bool_(False), "false"),
        (10**20, str(10**20)),
    ],
)
def test_category_text(value: object, text: str | None) -> None:
    assert category_text(value) == text


def test_slices_of_a_layout_are_disjoint_and_fill_it() -> None:
    layout = Layout(
        {
            "a": NumericBinning(np.array([0.0])),
            "b": CategoricalBinning(("x", "y")),
            "c": NumericBinning(np.arange(65.0)),
        }
    )
    places = [p for i in range(3) for p in range(*layout.slice(i).indices(layout.width))]
    assert places == list(range(1, layout.width))
    assert layout.numeric.tolist() == [0, 2]
    assert layout.categorical.tolist() == [1]
