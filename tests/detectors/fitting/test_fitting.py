"""The streaming fit: equal to the naive one, to itself however rows are cut, and bounded."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from heapq import nlargest
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import (
    CategoricalBinning,
    Coded,
    InvalidReferenceError,
    NumericBinning,
    Reference,
    ReferenceFitter,
    Seasons,
    WindowBank,
    fit_reference,
)
from detectors.fitting import numbers
from detectors.fitting.order import TimeSurvey
from detectors.fitting.sampling import NameTally, RowSample
from detectors.fitting.values import coded_names
from detectors.references.calibration import batches_of_rows, margin_of_few
from tests.oracles.batch_means import naive_dependence

N = 1_500
DAY_MS = 86_400_000


def part(column: Any, rows: slice) -> Any:
    return column[rows]


def streamed(
    columns: dict[str, Any],
    cuts: list[int],
    second: list[int] | None = None,
    *,
    times_ms: np.ndarray | None = None,
    model: str = "m",
    **options: Any,
) -> Reference:
    """Fit on batches cut at these rows; the second pass may be cut elsewhere."""
    fitter = ReferenceFitter(
        {name: "numeric" if numeric(c) else "categorical" for name, c in columns.items()}, **options
    )
    n = len(next(iter(columns.values())))
    for take, at in ((fitter.survey, cuts), (fitter.count, second or cuts)):
        bounds = [0, *sorted(at), n]
        for low, high in itertools.pairwise(bounds):
            rows = slice(low, high)
            take(
                {name: part(c, rows) for name, c in columns.items()},
                None if times_ms is None else times_ms[rows],
            )
    return fitter.finish(model=model)


def numeric(column: Any) -> bool:
    return isinstance(column, np.ndarray)


def draw_columns(seed: int, kind: str) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = {
        "normal": lambda: rng.normal(size=N),
        "trend": lambda: np.arange(N) + rng.normal(size=N),
        "few": lambda: rng.integers(0, 5, N).astype(float),
        "spiked": lambda: np.where(rng.random(N) < 0.4, 0.0, rng.lognormal(size=N)),
        "rare": lambda: np.where(rng.random(N) < 0.01, rng.normal(size=N), np.nan),
        "none": lambda: np.full(N, np.nan),
        "huge": lambda: rng.choice([1e308, -1e308, 5e-324, 0.0, np.inf], N),
        "constant": lambda: np.full(N, 0.1),
    }[kind]()
    names = [None if v > 40 else f"n{v}" for v in rng.geometric(0.1, N).tolist()]
    return {"x": x, "c": names}


KINDS = ["normal", "trend", "few", "spiked", "rare", "none", "huge", "constant"]
cuts = st.lists(st.integers(0, N), max_size=6)


@given(
    st.sampled_from(KINDS),
    st.integers(0, 5),
    cuts,
    cuts,
    st.sampled_from(["none", "ordered", "shuffled", "cycle", "equal"]),
)
@settings(max_examples=60)
def test_how_rows_are_cut_changes_nothing(
    kind: str, seed: int, first: list[int], second: list[int], order: str
) -> None:
    columns = draw_columns(seed, kind)
    times: np.ndarray | None = np.arange(N, dtype=np.int64) * (30 * DAY_MS // N)
    cycle = 7 * DAY_MS if order == "cycle" else 0
    if order == "none":
        times = None
    elif order == "equal":
        times = np.full(N, 5, np.int64)
    elif order in ("shuffled", "cycle"):
        times = np.random.default_rng(seed).permutation(times)
    whole = fit_reference(columns, model="m", times_ms=times, cycle_ms=cycle)
    parts = streamed(columns, first, second, times_ms=times, cycle_ms=cycle)
    assert parts.to_json() == whole.to_json()


def naive_batches(times: np.ndarray, cycle_ms: int) -> np.ndarray:
    """Batch of each row, row by row."""
    if cycle_ms:
        cells = [int(t) * 7 // cycle_ms for t in times]
        return np.array([sorted(set(cells)).index(c) for c in cells])
    length, count = batches_of_rows(times.size)
    batch = np.empty(times.size, np.int64)
    for rank, row in enumerate(sorted(range(times.size), key=lambda i: (times[i], i))):
        batch[row] = min(rank // length, count - 1)
    return batch


def naive_novel(keys: list[Any], batch: np.ndarray) -> int:
    """Rows whose key no row of another batch has."""
    where: dict[Any, set[int]] = {}
    for key, b in zip(keys, batch.tolist()):
        where.setdefault(key, set()).add(b)
    return sum(key is not None and len(where[key]) == 1 for key in keys)


def naive_extremes(values: np.ndarray, batch: np.ndarray) -> int:
    """Rows outside the range of the rows of all other batches."""
    finite = np.isfinite(values)
    count = 0
    ranges = {}
    for b in set(batch.tolist()):
        others = values[finite & (batch != b)]
        ranges[b] = (others.min(initial=math.inf), others.max(initial=-math.inf))
    for v, b in zip(values[finite].tolist(), batch[finite].tolist()):
        low, high = ranges[b]
        count += v < low or v > high
    return count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["none", "ordered", "shuffled", "cycle"])
def test_counts_are_those_of_the_naive_twin(kind: str, order: str) -> None:
    columns = draw_columns(3, kind)
    times = np.arange(N, dtype=np.int64) * (30 * DAY_MS // N)
    if order in ("shuffled", "cycle"):
        times = np.random.default_rng(1).permutation(times)
    cycle = 7 * DAY_MS if order == "cycle" else 0
    reference = fit_reference(
        columns, model="m", times_ms=None if order == "none" else times, cycle_ms=cycle
    )
    batch = np.arange(N) if order == "none" else naive_batches(times, cycle)
    x, c = reference.signals
    values = np.where(np.isinf(columns["x"]), np.nan, columns["x"])
    assert isinstance(x.binning, NumericBinning)
    assert (x.binning.edges == NumericBinning.fit(values).edges).all()
    bins = x.binning.bin(values)
    assert x.counts.tolist() == np.bincount(bins, minlength=x.binning.n_bins).tolist()
    atoms = (x.counts[1 : x.binning.above] == 0).any()
    keys = [b if b < x.binning.missing else None for b in bins.tolist()]
    expected = naive_novel(keys, batch) if atoms else naive_extremes(values, batch)
    assert x.calibration.novel == expected
    finite = values[np.isfinite(values)]
    if finite.size:
        shares = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
        levels = np.quantile(finite, list(shares.values()), method="inverted_cdf")
        assert x.quantiles == dict(zip(shares, levels.tolist(), strict=True))
    if finite.size and kind != "huge":
        assert x.mean == pytest.approx(finite.mean(), rel=1e-12)
        assert x.std == pytest.approx(finite.std(), rel=1e-9, abs=1e-300)
    assert isinstance(c.binning, CategoricalBinning)
    assert c.binning.categories == CategoricalBinning.fit(columns["c"]).categories
    tally = Counter(columns["c"])
    assert c.counts[: c.binning.other].tolist() == [tally[n] for n in c.binning.categories]
    assert c.counts[c.binning.missing] == tally[None]
    assert c.calibration.novel == naive_novel(columns["c"], batch)
    if order == "none":
        assert x.calibration.batches == 0
        return
    rows = [[0] * x.binning.n_bins for _ in range(batch.max() + 1)]
    for b, position in zip(batch.tolist(), bins.tolist()):
        rows[b][position] += 1
    scores = x.binning.scores(x.counts)[: x.binning.missing].tolist()
    expected_worth, phi_x = naive_dependence(
        rows,
        x.calibration.groups.tolist(),
        scores if any(x.counts[: len(scores)]) else None,
        lengthen=not cycle,
    )
    assert x.calibration.batches == expected_worth
    assert x.calibration.phi_x == pytest.approx(
        max(1.0, margin_of_few(expected_worth) * phi_x), rel=1e-6
    )


def test_the_covariance_is_that_of_the_batches() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=100), 20) + rng.normal(size=2_000)
    signal = fit_reference({"x": x}, model="m", times_ms=np.arange(2_000)).signals[0]
    length, count = batches_of_rows(2_000)
    groups = signal.calibration.groups[signal.binning.bin(x)]
    shares = np.stack(
        [
            np.bincount(groups[b * length : (b + 1) * length], minlength=groups.max() + 3) / length
            for b in range(count)
        ]
    )
    expected = np.cov(shares.T) * length
    got = signal.calibration.covariance
    assert got is not None
    size = min(len(got), len(expected))
    assert got[:size, :size] == pytest.approx(expected[:size, :size], rel=1e-6, abs=1e-12)


def test_beyond_the_sample_counts_and_range_stay_exact() -> None:
    rng = np.random.default_rng(0)
    n = 40_000
    columns = {"x": rng.lognormal(size=n), "k": rng.integers(0, 9, n).astype(float)}
    columns["k"][7] = 1_000.0  # one row, not in the sample
    times = np.arange(n, dtype=np.int64)
    small = streamed(columns, [10_000, 10_001, 33_333], times_ms=times, sample=4_000)
    assert small.to_json() == streamed(columns, [5], [9], times_ms=times, sample=4_000).to_json()
    whole = fit_reference(columns, model="m", times_ms=times)
    for ours, exact in zip(small.signals, whole.signals):
        assert isinstance(ours.binning, NumericBinning)
        assert ours.counts.sum() == n
        assert ours.counts[0] == ours.counts[ours.binning.above] == 0  # the range is exact
        values = columns[ours.name]
        again = np.bincount(ours.binning.bin(values), minlength=ours.binning.n_bins)
        assert ours.counts.tolist() == again.tolist()
        assert ours.mean == exact.mean
        assert ours.std == exact.std
        assert ours.calibration.batches == exact.calibration.batches
        assert ours.calibration.novel == exact.calibration.novel or ours.name == "k"
    shares = small.signals[0].counts[1:-3] / n
    assert shares.max() < 2 / 64  # edges of the sample are nearly quantiles


def test_rows_out_of_order_beyond_the_sample_go_to_batches_by_time() -> None:
    rng = np.random.default_rng(0)
    n = 60_000
    x = np.repeat(rng.normal(size=n // 50), 50) + rng.normal(size=n)
    times = np.arange(n, dtype=np.int64) * 1_000
    straight = fit_reference({"x": x}, model="m", times_ms=times)
    mixed = rng.permutation(n)
    shuffled = streamed({"x": x[mixed]}, [777], times_ms=times[mixed], sample=20_000)
    assert (
        "rows were not in the order of time: dealt to batches by their times" in shuffled.warnings
    )
    assert shuffled.ordered
    was, got = straight.signals[0].calibration, shuffled.signals[0].calibration
    assert got.batches == pytest.approx(was.batches, rel=0.25)  # worth of them, not their number
    assert got.phi_x == pytest.approx(was.phi_x, rel=0.2)


def test_a_sample_is_uniform_and_independent_of_cuts() -> None:
    held = {}
    for cut in (1, 700, 10_000):
        sample, slots = RowSample(100, seed=3), np.full(100, -1)
        for start in range(0, 10_000, cut):
            place, source = sample.place(min(cut, 10_000 - start))
            slots[place] = start + source
        held[cut] = slots
    assert (held[1] == held[700]).all()
    assert (held[1] == held[10_000]).all()
    means = []
    for seed in range(200):
        sample, slots = RowSample(50, seed), np.empty(50, np.int64)
        for start in range(0, 2_000, 500):
            place, source = sample.place(500)
            slots[place] = start + source
        assert np.unique(slots).size == 50
        means.append(slots.mean())
    assert abs(np.mean(means) - 999.5) < 4 * 577.4 / math.sqrt(200 * 50)


def test_a_tally_is_exact_while_it_fits_then_keeps_what_is_frequent() -> None:
    tally = NameTally(100)
    tally.add([f"n{i}" for i in range(200)], [1] * 200)
    assert (tally.is_exact, tally.distinct) == (True, 200)
    rng = np.random.default_rng(0)
    for i in range(400):
        frequent = rng.multinomial(300, [0.5, 0.3, 0.2])
        names = [f"r{i}_{j}" for j in range(100)]
        tally.add([*names, "a", "b", "c"], [1] * 100 + frequent.tolist())
        assert len(tally.counts) <= 400
    assert not tally.is_exact
    assert nlargest(3, tally.counts, key=lambda name: tally.counts[name]) == ["a", "b", "c"]
    assert tally.distinct == pytest.approx(40_203, rel=0.06)


def test_memory_and_size_are_bounded_with_a_million_names() -> None:
    fitter = ReferenceFitter({"c": "categorical"}, names=10_000)
    rng = np.random.default_rng(0)
    batches = []
    for start in range(0, 1_000_000, 50_000):
        often = rng.random(50_000) < 0.2
        codes = np.where(often, 50_000, np.arange(50_000)).astype(np.int32)
        batches.append((codes, start))
    for take in (fitter.survey, fitter.count):
        for codes, start in batches:
            names = [f"user-{start + i:08d}" for i in range(50_000)] + ["guest"]
            take({"c": Coded(codes, names)})
            if take == fitter.survey:
                assert len(fitter._signals["c"].tally.counts) <= 2 * 10_000
    reference = fitter.finish(model="m")
    signal = reference.signals[0]
    assert isinstance(signal.binning, CategoricalBinning)
    assert signal.binning.categories[0] == "guest"
    assert len(signal.binning.others) <= 10_000
    assert signal.counts[0] == sum((codes == 50_000).sum() for codes, _ in batches)
    assert signal.counts.sum() == 1_000_000
    assert len(reference.to_json()) < 400_000
    assert any("too many names (about 8" in w for w in reference.warnings)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a", None, "b", "a"], ["a", None, "b", "a"]),
        ([None, None], [None, None]),
        ([None, "b"], [None, "b"]),
        ([True, 1, 1.0, "1", 2.5, None], ["true", "1", "1", "1", "2.5", None]),
        (np.array([3, 1, 3]), ["3", "1", "3"]),
        (np.array([1.0, np.nan, 2.5]), ["1", None, "2.5"]),
        (np.array([True, False]), ["true", "false"]),
        (np.array(["x", "y", "x"]), ["x", "y", "x"]),
        (np.array(["x", None], object), ["x", None]),
        (Coded(np.array([1, 0, -1, 2], np.int32), ["u", 1, 1.0]), ["1", "u", None, "1"]),
        (Coded(np.array([0, 1], np.int32), [None, "u"]), [None, "u"]),
        (Coded(np.array([-1, -1], np.int32), []), [None, None]),
    ],
)
def test_names_of_columns(column: Any, expected: list[str | None]) -> None:
    codes, names = coded_names(column)
    assert [None if c < 0 else names[c] for c in codes.tolist()] == expected
    assert len(set(names)) == len(names)


def test_numbers_of_coded_columns() -> None:
    column = Coded(np.array([0, 1, 2, 3, -1], np.int32), [1.5, "x", None, 10**400])
    assert numbers(column)[:2].tolist() == [1.5, -math.inf]
    assert np.isnan(numbers(column)[2:]).all()


def fitter_of(n: int = 400) -> ReferenceFitter:
    fitter = ReferenceFitter({"x": "numeric", "c": "categorical"})
    fitter.survey({"x": np.arange(float(n)), "c": ["a"] * n})
    return fitter


def test_the_second_pass_must_see_the_same_rows() -> None:
    fitter = fitter_of()
    with pytest.raises(InvalidReferenceError, match="the first had 400, the second 0"):
        fitter.finish(model="m")
    fitter = fitter_of()
    with pytest.raises(InvalidReferenceError, match="the first had 400, the second 401"):
        fitter.count({"x": np.arange(401.0), "c": ["a"] * 401})


def test_batches_must_fit_together() -> None:
    with pytest.raises(InvalidReferenceError, match="must have the column 'c'; got x"):
        fitter_of().survey({"x": [1.0]})
    with pytest.raises(InvalidReferenceError, match="1 rows, but 2 in 'c'"):
        fitter_of().survey({"x": [1.0], "c": ["a", "b"]})
    with pytest.raises(InvalidReferenceError, match="with every batch of rows, or with none"):
        fitter_of().survey({"x": [1.0], "c": ["a"]}, np.array([1]))
    with pytest.raises(InvalidReferenceError, match="at least 300 rows, better 10,000; got 10"):
        fitter_of(10).finish(model="m")
    with pytest.raises(InvalidReferenceError, match="cycle_ms needs times_ms"):
        ReferenceFitter({"x": "numeric"}, cycle_ms=5).survey({"x": [1.0]})
    with pytest.raises(InvalidReferenceError, match="cycle_ms must be >= 0"):
        ReferenceFitter({"x": "numeric"}, cycle_ms=-5)


def test_a_signal_can_be_looked_at_and_dropped_between_the_passes() -> None:
    fitter = fitter_of()
    assert fitter.distinct("c") == 1
    assert fitter.sample("x").tolist() == list(range(400))
    assert fitter.sample_times() is None
    with pytest.raises(InvalidReferenceError, match="must be categorical"):
        fitter.distinct("x")
    with pytest.raises(InvalidReferenceError, match="must be numeric"):
        fitter.sample("c")
    fitter.drop("c")
    fitter.count({"x": np.arange(400.0)})
    assert [s.name for s in fitter.finish(model="m").signals] == ["x"]


def test_a_cycle_too_short_for_the_rows_is_refused() -> None:
    survey = TimeSurvey(7, RowSample(100_000))
    times = np.arange(50_000)
    with pytest.raises(
        InvalidReferenceError, match=r"more than 20000 sevenths of 7 ms\. Choose a longer"
    ):
        survey.add(times, times, times)


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@pytest.mark.parametrize("slots", ["off", "auto"])
def test_actuals_that_are_not_known_yet_make_no_dependence(kind: str, slots: str) -> None:
    n = 5_000
    reference = fit_reference(
        {"x": np.random.default_rng(0).normal(size=n), "truth": [None] * n},
        model="m",
        kinds={"truth": kind},
        roles={"truth": "actual"},
        times_ms=300_000 * np.arange(n),
        seasons=Seasons(slots),
    )
    x, truth = reference.signals
    assert x.calibration.batches > 0
    assert not truth.counts.any()
    assert truth.calibration.phi == 1.0
    read = Reference.from_json(reference.to_json())
    assert read.hash == reference.hash
    if slots == "off":
        bank = WindowBank(read.signals)
        counts = np.zeros(bank.layout.width, np.int64)
        counts[0] = 1_000
        assert not bank.test(counts, 1e-6).found.any()


def test_rows_that_came_twice_leave_the_mean_as_it_is() -> None:
    rng = np.random.default_rng(8)
    again = np.sort(np.append(np.arange(N), rng.choice(N, N // 5, replace=False)))
    columns = {"x": rng.gamma(4.0, 0.025, N)[again], "y": rng.normal(size=N)[again]}
    fitted = fit_reference(
        columns, model="m", version="", roles={}, times_ms=again * 60_000, segments=()
    )
    assert fitted.events < again.size  # counts are of each row once
    for signal in fitted.signals:
        assert signal.mean == pytest.approx(columns[signal.name].mean(), rel=1e-9)
        assert signal.std == pytest.approx(columns[signal.name].std(), rel=1e-9)
