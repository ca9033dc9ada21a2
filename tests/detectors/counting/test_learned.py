"""Binnings learned from sketches, against counting the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting.category_sketch import NameCounts
from detectors.counting.log_histogram import LogCounts
from detectors.counting.project import (
    count_names,
    count_numbers,
    deal,
    learn_categories,
    learn_edges,
    moments,
    widen,
)

few = settings(deadline=None, max_examples=60)
# Beyond the largest float but one nothing is above it.
numbers = st.lists(
    st.one_of(st.integers(-20, 20).map(float), st.floats(-1e300, 1e300)), max_size=300
)


@few
@given(numbers, numbers)
def test_sketches_as_fine_as_the_learned_one_count_like_the_values(first, later):
    basis = LogCounts().add(np.array(first, np.float64))
    binning = learn_edges(basis)
    values = np.array(later, np.float64)
    sketch = LogCounts().add(values)
    counts = count_numbers(binning, sketch, basis)
    assert counts.sum() == len(later)
    if sketch.level <= basis.level and first:
        naive = np.bincount(binning.bin(values), minlength=binning.n_bins)
        assert counts.tolist() == naive.tolist()


@few
@given(numbers, st.integers(0, 20))
def test_a_sketch_of_the_same_values_is_dealt_back_however_coarse_it_is(first, level):
    basis = LogCounts().add(np.array(first, np.float64))
    binning = learn_edges(basis)
    fine = count_numbers(binning, basis, basis)
    coarse = count_numbers(binning, basis.at_level(basis.level + level), basis)
    assert coarse.tolist() == fine.tolist()


def test_edges_are_quantiles_and_atoms_are_bins():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(3_000), rng.lognormal(size=7_000)])
    basis = LogCounts().add(values)
    binning = learn_edges(basis)
    assert 40 <= binning.edges.size <= 63
    counts = count_numbers(binning, basis, basis)
    assert counts[binning.bin(np.zeros(1))[0]] == 3_000
    assert np.sort(counts)[-2] < 500
    assert counts[binning.below] == counts[binning.above] == 0


def test_few_values_leave_gaps_in_which_others_are_new():
    basis = LogCounts().add(np.array([1.0, 2.0, 5.0] * 10))
    binning = learn_edges(basis)
    counts = count_numbers(binning, basis, basis)
    assert sorted(counts.tolist())[-3:] == [10, 10, 10]
    new = count_numbers(binning, LogCounts().add(np.array([0.5, 1.5, 3.0, 7.0])), basis)
    assert not ((new > 0) & (counts > 0)).any()


@pytest.mark.parametrize(
    ("later", "more", "moved"),
    [([1.5], 0, 0), ([0.5], 1, 1), ([9.0], 1, 0), ([-1.0, 9.0], 2, 1), ([], 0, 0)],
)
def test_a_binning_is_widened_where_there_is_more(later, more, moved):
    basis = LogCounts().add(np.array([1.0, 2.0]))
    binning = learn_edges(basis)
    both = LogCounts().merge(basis).add(np.array(later, np.float64))
    wide, by = widen(binning, both.bins())
    assert (wide.n_bins - binning.n_bins, by) == (more, moved)
    counts = count_numbers(wide, both, basis)
    assert counts[wide.below] == counts[wide.above] == 0
    assert counts.sum() == both.numbers


def test_nothing_learned_is_everything_new():
    basis = LogCounts()
    binning = learn_edges(basis)
    counts = count_numbers(binning, LogCounts().add(np.array([-1.0, 1.0])), basis)
    assert (counts[binning.below], counts[binning.above]) == (1, 1)
    assert moments(basis) == (None, None, {})


@few
@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_what_is_dealt_is_whole_and_in_proportion(n, weights):
    if not sum(weights):
        return
    parts = deal(n, weights)
    assert sum(parts) == n
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - n * weight / sum(weights)) <= 1 + 1e-6 * n / 10**6


def names_of(counts: dict[str, int]) -> NameCounts:
    return NameCounts().add(counts)


def none(binning):
    return np.zeros(binning.n_bins, np.int64)


def test_names_beyond_the_table_are_unseen_only_where_it_is_certain():
    whole = names_of({f"n{i:05}": 10 for i in range(3_000)})
    assert whole.level > 0
    binning = learn_categories(whole)
    assert (binning.tail, binning.halvings) == (64, whole.level)
    learned = count_names(binning, whole, none(binning))
    assert learned[binning.other : binning.unseen].sum() > learned[binning.new].sum() == 0
    fresh = [f"x{i}" for i in range(200)]
    counts = count_names(binning, names_of(dict.fromkeys(fresh, 1)), learned)
    certain = sum(whole.keeps(name) for name in fresh)
    assert 0 < certain < 200
    assert counts[binning.new].sum() == certain
    assert counts[binning.other : binning.unseen].sum() == 200 - certain


def test_tail_bins_are_exact_whatever_a_table_could_not_keep():
    """Of names that were counted for themselves and of all others together."""
    tally = {f"n{i:05}": 1 + i % 7 for i in range(3_000)}
    whole = names_of(tally)
    binning = learn_categories(whole)
    learned = count_names(binning, whole, none(binning))
    naive = none(binning)
    for name, n in tally.items():
        own = name in binning.categories
        naive[binning.code[name] if own else binning.other + binning.place(name)] += n
    assert learned.tolist() == naive.tolist()
    hot = next(name for name in tally if not whole.keeps(name))
    later = names_of({**tally, hot: 5_000})
    counts = count_names(binning, later, learned)
    risen = np.flatnonzero(counts != learned)
    assert risen.tolist() == [binning.other + binning.place(hot)]


def test_names_that_a_large_pane_cannot_tell_are_dealt_as_they_were():
    small = names_of({"a": 600, "b": 300, **{f"r{i}": 1 for i in range(100)}})
    assert small.level == 0
    binning = learn_categories(small)
    learned = count_names(binning, small, none(binning))
    large = names_of(
        {
            "a": 6_000,
            "b": 3_000,
            **{f"r{i}": 1 for i in range(100)},
            **{f"s{i}": 1 for i in range(5_000)},
        }
    )
    assert large.level > 0
    counts = count_names(binning, large, learned)
    assert counts.sum() == large.total
    if large.keeps("a"):
        assert counts[binning.code["a"]] == 6_000
    else:
        assert counts[binning.code["a"]] == pytest.approx(6_000, rel=0.5)
    assert counts[binning.new].sum() > 100


def test_few_names_that_later_are_many_are_dealt_to_the_names_known():
    few = names_of({"a": 600, "b": 300})
    binning = learn_categories(few)
    assert binning.tail == 1
    learned = count_names(binning, few, none(binning))
    many = names_of({"a": 600, "b": 300, **{f"s{i}": 1 for i in range(5_000)}})
    assert many.level > 0
    counts = count_names(binning, many, learned)
    assert counts.sum() == many.total
    assert counts[binning.unseen] > 0
