from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting import category_sketch as module
from detectors.counting.category_sketch import MOST_NAME_BYTES, NameCounts, bounded_name

texts = st.lists(st.text("abcdé", max_size=3), max_size=200)


Plain = tuple[int, dict[str, int], dict[int, int]]


def plain(table: NameCounts) -> Plain:
    assert table.rest == sum(table.rests.values())
    return table.level, table.counts, table.rests


def naive(names: list[str], most: int, most_bytes: int) -> Plain:
    """Sort all names by hash, and halve the range of hashes until what is in it fits."""
    tally = Counter(names)
    hashed = {
        name: int(hashlib.blake2b(name.encode(), digest_size=8).hexdigest(), 16) for name in tally
    }
    level = 0
    while True:
        kept = {name: n for name, n in tally.items() if hashed[name] < 2**64 / 2**level}
        if len(kept) <= most and sum(7 + len(name.encode()) for name in kept) <= most_bytes:
            rests: Counter[int] = Counter()
            for name, n in tally.items():
                if name not in kept:
                    rests[hashed[name] % 64] += n
            return level, kept, dict(rests)
        level += 1


@settings(deadline=None)
@given(texts, st.integers(0, 200), st.integers(0, 200), st.sampled_from([(5, 100), (50, 20)]))
def test_any_partition_gives_the_table_of_the_naive_twin(
    names: list[str], one: int, two: int, bounds: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_NAMES", bounds[0])
        patch.setattr(module, "_MOST_BYTES", bounds[1])
        low, high = sorted((one, two))
        cut = (names[low:high], names[high:], names[:low])
        parts = [NameCounts().add(Counter(part)) for part in cut]
        merged = NameCounts().merge(parts[0]).merge(NameCounts().merge(parts[1]).merge(parts[2]))
        assert plain(merged) == naive(names, *bounds)
        grown = NameCounts()
        for name in names:
            grown.add({name: 1})
        assert plain(grown) == plain(merged)
        assert merged.total == len(names)


def test_a_hundred_thousand_names_are_a_bounded_table_that_knows_how_many() -> None:
    table = NameCounts().add({f"user-{i}": 2 for i in range(100_000)})
    assert sum(map(len, table.counts)) <= 3_500
    assert table.total == 200_000
    assert table.distinct == pytest.approx(100_000, rel=0.2)


@given(st.text())
def test_long_names_are_cut_and_stay_different(name: str) -> None:
    for other in (name, name * 40):
        short = bounded_name(other)
        assert len(short.encode(errors="surrogatepass")) <= MOST_NAME_BYTES
        assert short == other or bounded_name(other + "x") != short
