"""When a change began: the blocks are exact sums, and the estimate is where the change is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from detectors import ChangePoints, Reference, fit_reference
from detectors.change_points.history import COLUMNS, History, score_tables

PANE = 1_000


@pytest.fixture(scope="module")
def reference() -> Reference:
    rng = np.random.default_rng(3)
    data = {
        "x": np.where(rng.random(4_000) < 0.01, np.nan, rng.normal(size=4_000)),
        "c": rng.choice(["a", "b", "d"], 4_000, p=[0.5, 0.3, 0.2]).tolist(),
    }
    return fit_reference(data, model="m")


def pane(reference: Reference, xs: np.ndarray, names: list[str]) -> np.ndarray:
    layout = reference.layout()
    counts = np.zeros(layout.width, np.int64)
    counts[0] = len(xs)
    x, c = (signal.binning for signal in reference.signals)
    np.add.at(counts, layout.start[0] + x.bin(xs), 1)
    codes = [c.code.get(name, c.unseen) for name in names]
    np.add.at(counts, layout.start[1] + np.array(codes), 1)
    return counts


def fed(
    reference: Reference,
    panes: int,
    change: int,
    *,
    shift: float = 0.0,
    missing: float = 0.01,
    names: tuple[float, float, float] = (0.5, 0.3, 0.2),
    unseen: float = 0.0,
    seed: int = 1,
    over: int = 0,
) -> ChangePoints:
    rng = np.random.default_rng(seed)
    points = ChangePoints(reference.signals, reference.layout())
    for at in range(panes):
        moved = min(1.0, (at - change) / over) if over and at >= change else at >= change
        xs = rng.normal(size=50) + shift * moved
        xs[rng.random(50) < 0.01 + (missing - 0.01) * moved] = np.nan
        said = rng.choice(["a", "b", "d"], 50, p=names if moved else (0.5, 0.3, 0.2))
        said = np.where(rng.random(50) < unseen * moved, "new", said)
        points.history.add(pane(reference, xs, said.tolist()), at * PANE, (at + 1) * PANE)
    return points


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=400), st.integers(0, 50))
def test_blocks_are_the_sums_of_their_panes(events: list[int], gap: int) -> None:
    """Whatever is merged, the blocks cover all panes without overlap and nothing is lost."""
    reference = fit_reference({"x": np.arange(400.0)}, model="m")
    layout = reference.layout()
    history = History(reference.signals, layout)
    for at, n in enumerate(events):
        counts = np.zeros(layout.width, np.int64)
        counts[[0, 7, 1 + reference.signals[0].binning.missing]] = n
        history.add(counts, at * (1 + gap), at * (1 + gap) + 1)
    assert len(history) <= 48
    assert history.start_ms[0] == 0
    assert history.end_ms[-1] == (len(events) - 1) * (1 + gap) + 1
    assert history.start_ms[1:] == [end + gap for end in history.end_ms[:-1]]
    sums = history.of(0)
    x, y, _ = score_tables(reference.signals[0])
    total = sum(events)
    assert sums.sum(axis=0).tolist() == [2 * total, total * x[6], total * y[6], total, 0, 0]
    copy = History(reference.signals, layout)
    copy.load(history.dump())
    assert copy.dump() == history.dump()
    assert (copy.of(0) == sums).all()


def test_the_oldest_block_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.change_points.history._MOST_BLOCKS", 20)
    reference = fit_reference({"x": np.arange(400.0)}, model="m")
    history = History(reference.signals, reference.layout())
    counts = np.ones(reference.layout().width, np.int64)
    for at in range(2_000):
        history.add(counts, at, at + 1)
    assert 15 <= len(history) <= 20
    assert 0 < history.start_ms[0] < 1_900
    assert history.start_ms[1:] == history.end_ms[:-1]
    assert history.end_ms[-1] == 2_000


def test_bytes_that_are_no_state(reference: Reference) -> None:
    history = History(reference.signals, reference.layout())
    for wrong in (b"", b"\x05", b"\xff" * 400, b"\x01" + b"\x00" * 24 + b"\x80"):
        with pytest.raises(ValueError, match=r"not a state|encoded counts"):
            history.load(wrong)


def test_columns_of_names_and_numbers(reference: Reference) -> None:
    points = fed(reference, 40, 20, missing=0.5, unseen=0.5)
    x, c = points.history.of(0).sum(axis=0), points.history.of(1).sum(axis=0)
    assert x[COLUMNS.index("events")] == c[COLUMNS.index("events")] == 2_000
    assert 400 < x[COLUMNS.index("missing")] < 600
    assert 400 < c[COLUMNS.index("new")] < 600
    assert c[COLUMNS.index("missing")] == 0


CHANGES = {
    "mean": (0, "psi", "", {"shift": 0.7}),
    "mean by the e-detector": (0, "edetector", "x", {"shift": -0.7}),
    "missing": (0, "missing_rate", "", {"missing": 0.15}),
    "missing in the distance": (0, "psi", "", {"missing": 0.3}),
    "names": (1, "psi", "", {"names": (0.2, 0.3, 0.5)}),
    "unseen": (1, "unseen_rate", "", {"unseen": 0.1}),
    "out of range": (0, "range_rate", "", {"shift": 4.0}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_change_is_where_it_is(reference: Reference, case: str) -> None:
    index, test, axis, change = CHANGES[case]
    point = fed(reference, 330, 300, **change).estimate(index, test, axis)
    assert point is not None
    assert point.earliest_ms <= 300 * PANE <= point.latest_ms
    assert point.earliest_ms <= point.estimate_ms <= point.latest_ms
    assert abs(point.estimate_ms - 300 * PANE) <= 8 * PANE
    assert point.latest_ms - point.earliest_ms <= 40 * PANE
    assert point.confidence == 0.95
    assert point.shape == "step"


RAMPS = {
    "mean": (0, "psi", "", {"shift": 1.5}),
    "mean by the e-detector": (0, "edetector", "x", {"shift": -1.5}),
    "missing": (0, "missing_rate", "", {"missing": 0.3}),
}


@pytest.mark.parametrize("case", RAMPS)
def test_what_grows_over_time_is_a_ramp(reference: Reference, case: str) -> None:
    """Told from where it began, which a step is not: that is in its middle."""
    index, test, axis, change = RAMPS[case]
    grown = fed(reference, 500, 300, over=200, **change).estimate(index, test, axis)
    assert grown is not None
    assert grown.shape == "ramp"
    assert grown.earliest_ms <= 300 * PANE <= grown.latest_ms
    assert abs(grown.estimate_ms - 300 * PANE) <= 30 * PANE
    soon = fed(reference, 330, 300, over=200, **change).estimate(index, test, axis)
    assert soon is None or soon.shape == "step"  # too little of it to tell


def test_intervals_of_a_stream_with_a_memory_hold_the_change() -> None:
    """Values beyond the reference's come in runs there: not as many independent witnesses."""
    rng = np.random.default_rng(9)
    rows, size, change, moved = 10_000, 40, 8_000, 4_000
    shocks = rng.normal(size=(rows + change + moved, size)) * np.sqrt(1.0 - 0.97**2)
    shocks[0] = rng.normal(size=size)
    values = lfilter([1.0], [1.0, -0.97], shocks, axis=0)
    values[rows + change :] += 1.0
    columns = {f"x{i:02}": values[:rows, i] for i in range(size)}
    reference = fit_reference(columns, model="m", times_ms=np.arange(rows) * 50)
    layout = reference.layout()
    points = ChangePoints(reference.signals, layout)
    for at, events in enumerate(values[rows:].reshape(-1, 20, size)):
        counts = np.zeros(layout.width, np.int64)
        counts[0] = 20
        for i, signal in enumerate(reference.signals):
            np.add.at(counts, layout.start[i] + signal.binning.bin(events[:, i]), 1)
        points.history.add(counts, at * PANE, (at + 1) * PANE)
    found = [p for i in range(size) if (p := points.estimate(i, "psi")) is not None]
    assert len(found) >= 0.8 * size
    held = sum(p.earliest_ms <= change // 20 * PANE <= p.latest_ms for p in found)
    assert held >= 0.93 * len(found)
    assert sum(p.shape == "step" for p in found) >= 0.95 * len(found)
    widths = [p.latest_ms - p.earliest_ms for p in found]
    assert np.median(widths) <= 300 * PANE


def test_within_a_stream_what_was_before_the_window_is_left_out(reference: Reference) -> None:
    """Two changes: the second is told if ADWIN's window begins after the first."""
    rng = np.random.default_rng(5)
    points = ChangePoints(reference.signals, reference.layout())
    n = 0
    for at in range(400):
        xs = rng.normal(size=50) + (3.0 if at < 100 else 1.5 if at < 380 else 2.2)
        n += 50 * (at >= 150)
        points.history.add(pane(reference, xs, ["a"] * 50), at * PANE, (at + 1) * PANE)
    late = points.estimate(0, "adwin", "x", within=n)
    assert late is not None
    assert abs(late.estimate_ms - 380 * PANE) <= 8 * PANE
    early = points.estimate(0, "adwin", "x", within=10**9)
    assert early is not None
    assert early.estimate_ms < 200 * PANE


def test_nothing_is_said_of_what_the_sums_do_not_show(reference: Reference) -> None:
    points = fed(reference, 100, 100)
    assert points.estimate(0, "psi") is None
    assert points.estimate(1, "psi") is None
    assert points.estimate(0, "missing_rate") is None
    empty = ChangePoints(reference.signals, reference.layout())
    assert empty.estimate(0, "psi") is None
