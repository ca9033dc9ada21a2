"""Samples of ids: exact counts of some ids, the same however the events are dealt."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.counting.ids import (
    MOST_IDS,
    NO_ID,
    IdRows,
    IdSample,
    hash_columns,
    hash_texts,
    sampled_hashes,
)
from detectors.counting.once import MOST_COPIES, counted_once, seen

IDS = st.lists(st.integers(0, 2**40 - 1), max_size=400)


def ids_of(values):
    return np.array(values, np.int64)


def naive(values):
    """The sample as a dictionary: the least hashes with their counts."""
    counts = Counter(v for v in values if v != NO_ID)
    return {h: counts[h] for h in sorted(counts)[:MOST_IDS]}


def as_dict(sample):
    return dict(zip(sample.hashes.tolist(), sample.counts.tolist(), strict=True))


def events(rng, n, copied=0.0, times=2):
    """Hashes of n events, of which a share comes several times, in any order."""
    found = rng.integers(1, 2**40, n)
    again = found[rng.random(n) < copied]
    return rng.permutation(np.concatenate([found, np.repeat(again, times - 1)]))


@given(IDS, st.integers(1, 5), st.integers(0, 2**32))
def test_any_parts_in_any_order_give_the_sample_of_the_whole(values, parts, seed):
    rng = np.random.default_rng(seed)
    values = ids_of([*values, *values[: len(values) // 3]])
    part = rng.integers(0, parts, values.size)
    samples = [IdSample.of(values[part == k]) for k in range(parts)]
    merged = IdSample.merged(samples)
    assert as_dict(merged) == as_dict(IdSample.of(values)) == naive(values.tolist())
    assert all(merged.covers(sample) for sample in samples)
    again = IdSample.decode(merged.encode())
    assert as_dict(again) == as_dict(merged)


@given(IDS, st.integers(0, 2**32))
def test_rows_that_grow_event_by_event_hold_the_same(values, seed):
    rng = np.random.default_rng(seed)
    values = ids_of([*values, *values])
    slots = rng.integers(-1, 3, values.size).astype(np.int32)
    rows = IdRows()
    rows.grow(3)
    for some in np.array_split(np.arange(values.size), 4):
        rows.count(values[some], slots[some])
    for row in range(3):
        assert as_dict(rows.sample(row)) == naive(values[slots == row].tolist())
    rows.clear(1)
    assert rows.sample(1).hashes.size == 0


def test_less_is_no_later_state():
    whole = IdSample.of(ids_of([5, 5, 7, 9]))
    assert whole.covers(IdSample.of(ids_of([5, 9])))
    assert not IdSample.of(ids_of([5, 7, 9])).covers(whole)  # an id came less often
    assert not IdSample.of(ids_of([])).covers(whole)
    full = IdSample.of(np.arange(1, MOST_IDS + 1) * 10)
    assert full.covers(IdSample.of(ids_of([10, 10 * MOST_IDS + 1])))  # crowded out
    assert not whole.covers(full)


@pytest.mark.parametrize("data", [b"\x00\x01", b"\x01", b"\xff" * 12, b"\x05\x00"])
def test_bytes_that_are_no_sample_are_refused(data):
    with pytest.raises(ValueError, match="bytes"):
        IdSample.decode(data)


def naive_hash(text: str) -> int:
    """FNV-1a, finished as splitmix64 does."""
    h, whole = 0xCBF29CE484222325, 2**64 - 1
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & whole
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 & whole
    h = (h ^ (h >> 27)) * 0x94D049BB133111EB & whole
    h ^= h >> 31
    return h - 2**64 if h >= 2**63 else h


def test_hashes_of_texts_are_of_the_text_alone():
    texts = ["a", "", "b", "a", "é", "0000001f", "x" * 300, "with\0zero"]
    found = hash_texts(texts)
    assert found[1] == NO_ID
    assert found[0] == found[3]
    assert len(set(found.tolist())) == len(texts) - 1
    for text, value in zip(texts, found.tolist(), strict=True):
        assert hash_texts([text]).tolist() == [value]
        assert value == (naive_hash(text) if text and "\0" not in text else value)
    assert sampled_hashes(hash_texts(["a", ""])).tolist() == [11_823_595_336, NO_ID]
    assert hash_texts(["a"]).tolist() == [naive_hash("a")]  # the same on every machine
    assert hash_texts([]).size == 0


def test_hashes_are_spread_evenly():
    found = sampled_hashes(hash_texts([f"{i:08x}" for i in range(100_000)]))
    assert np.unique(found).size == 100_000
    shares = np.bincount(found * 16 >> 40, minlength=16) / 100_000
    assert np.abs(shares - 1 / 16).max() < 0.004


def test_rows_are_equal_where_their_values_are():
    numbers = np.array([1.0, np.nan, 0.0, 1.0, -0.0, -np.inf])
    payload = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    codes = np.array([1, 2, 3, 1, 3, 3], np.int32)
    found = hash_columns([numbers, codes], 6).tolist()
    assert found[0] == found[3]
    assert found[2] == found[4]  # zero has one meaning
    assert len(set(found)) == 4
    assert hash_columns([payload, codes[1:2]], 1).tolist() == found[1:2]  # any NaN
    assert hash_columns([codes, numbers], 6).tolist() != found
    table = np.asfortranarray(np.random.default_rng(0).normal(size=(50_000, 3)))
    assert np.unique(hash_columns(table.T, 50_000)).size == 50_000


def test_no_copies_are_known_to_be_none():
    rng = np.random.default_rng(1)
    for n in (1, 50, 100_000):
        found = seen(IdSample.of(events(rng, n)))
        assert (found.again, found.factor) == (0, 1.0)
    assert seen(IdSample.of(ids_of([]))) == (0, 0, 0.0)


@pytest.mark.parametrize("times", [2, 3])
def test_events_that_all_come_several_times_are_counted_exactly(times):
    found = seen(IdSample.of(events(np.random.default_rng(2), 30_000, 1.0, times)))
    assert found.factor == times
    assert found.again == found.events * (times - 1) // times


@pytest.mark.parametrize("copied", [0.01, 0.1, 0.3, 0.7])
def test_the_factor_is_that_of_unequal_weights(copied):
    rng = np.random.default_rng(3)
    factors = [seen(IdSample.of(events(rng, 5_000, copied))).factor for _ in range(200)]
    truth = (1 + 3 * copied) / (1 + copied)
    assert np.mean(factors) == pytest.approx(truth, abs=0.02)
    assert np.std(factors) < 0.1


def test_copies_a_pane_later_add_what_they_add_to_the_sum_of_squares():
    rng = np.random.default_rng(4)
    first, second = events(rng, 2_000), events(rng, 2_000)
    panes = [first, np.concatenate([second, first]), second]
    squares = n = 0.0
    before: list[IdSample] = []
    for pane in panes:
        found = seen(IdSample.of(pane), before)
        squares += found.factor * pane.size
        n += pane.size
        before.append(IdSample.of(pane))
    assert squares / n == pytest.approx(2.0, abs=0.1)
    assert found.again == found.events  # all of the last pane came before


def test_an_id_of_many_events_does_not_hide_them():
    """A constant id would divide all counts by their number, and nothing would be tested."""
    same = seen(IdSample.of(np.full(10_000, 77)))
    assert (same.events, same.again, same.factor) == (10_000, 9_999, 1.0)
    some = np.concatenate([np.arange(1, 1_001) * 1_000, np.full(500, 7)])
    found = seen(IdSample.of(some))
    assert found.factor == 1.0
    assert found.again == 499
    fits = seen(IdSample.of(np.full(MOST_COPIES, 77)))
    assert fits.factor == MOST_COPIES


START = np.array([1, 4], np.int64)


@given(
    st.lists(st.integers(0, 1_000), min_size=7, max_size=7),
    st.floats(1.0, 5.0),
)
def test_divided_counts_keep_the_sums_of_signals(counts, factor):
    whole = np.array([1_000, *counts], np.int64)
    found = counted_once(whole, factor, START)
    for part in (slice(0, 1), slice(1, 4), slice(4, 8)):
        assert abs(found[part].sum() - whole[part].sum() / factor) <= 0.5 + 1e-9
    assert (np.abs(found - whole / factor) <= 1.0 + 1e-9).all()
    assert (found >= 0).all()


def test_doubled_counts_are_halved_exactly_and_others_left_alone():
    counts = np.random.default_rng(5).integers(0, 50, (3, 8))
    for k in (1, 2, 3):
        assert np.array_equal(counted_once(k * counts, float(k), START), counts)
    assert counted_once(counts, 1.0, START) is counts
