"""Histograms: areas are shares, and values lie where the axis says."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import NumericBinning, SignalReference, describe, fit_reference
from stream.report.histograms import PLOT_PX, histogram
from stream.report.model import Bars
from stream.report.shape import Box, Shape, shape_of_coarse, shape_of_counts

Floats = npt.NDArray[np.float64]
N = 20_000


def signal_of(values: Floats) -> SignalReference:
    reference = fit_reference({"x": values}, model="m", version="", times_ms=None, segments=())
    return reference.signals[0]


def counts_of(signal: SignalReference, values: Floats) -> npt.NDArray[np.int64]:
    return np.bincount(signal.binning.bin(values), minlength=signal.binning.n_bins)


def shape(values: Floats, window: Floats | None = None) -> Shape:
    signal = signal_of(values)
    made = shape_of_counts(signal, counts_of(signal, values if window is None else window))
    assert made is not None
    return made


def on_axis(shape: Shape) -> list[Box]:
    return [box for box in shape.boxes if not box.beside]


def beside(shape: Shape) -> dict[str, tuple[float, float]]:
    return {box.name: (box.reference, box.window) for box in shape.boxes if box.beside}


def edges_of(shape: Shape) -> Floats:
    """Where the bars begin, and the last ends, by what the axis' marks say."""
    bars = on_axis(shape)
    x = np.array([*(box.x for box in bars), bars[-1].x + bars[-1].width])
    first, last = shape.marks[0], shape.marks[-1]
    low, high = (float(mark.text.replace(",", "")) for mark in (first, last))
    if shape.scale == "log":
        low, high = np.log10(low), np.log10(high)
    places = low + (x - first.x) / (last.x - first.x) * (high - low)
    return np.asarray(10**places if shape.scale == "log" else places)


FAMILIES = {
    "normal": lambda rng: rng.normal(5.0, 2.0, N),
    "log-normal": lambda rng: rng.lognormal(0.0, 1.0, N),
    "wide log-normal": lambda rng: rng.lognormal(3.0, 2.5, N),
    "exponential": lambda rng: rng.exponential(3.0, N),
    "uniform": lambda rng: rng.uniform(-1.0, 1.0, N),
    "two hills": lambda rng: np.where(rng.random(N) < 0.3, 0.0, 9.0) + rng.normal(0, 1, N),
    "whole numbers": lambda rng: rng.poisson(50.0, N).astype(float),
    "many zeros": lambda rng: np.where(rng.random(N) < 0.3, 0.0, rng.lognormal(0.0, 2.0, N)),
    "heavy tails": lambda rng: rng.standard_cauchy(N),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_bar_holds_what_the_values_do(family: str) -> None:
    """Against a plain count of the values between the places that the axis marks."""
    values = FAMILIES[family](np.random.default_rng(1))
    made = shape(values)
    edges = edges_of(made)
    true = np.histogram(values, edges)[0] / N
    drawn = np.array([box.reference for box in on_axis(made)])
    # A bin of the reference is spread evenly: none holds more than a 64th but a value of its own.
    assert np.abs(np.cumsum(drawn) - np.cumsum(true)).max() < 0.016 + abs(drawn.sum() - true.sum())
    assert drawn.sum() == pytest.approx(true.sum(), abs=2 / 64)


def test_a_log_normal_looks_log_normal() -> None:
    """Its density rises to exp(-1), and then falls as it should; equal bars of 1/64 each do not."""
    made = shape(np.random.default_rng(2).lognormal(0.0, 1.0, 100_000))
    assert made.scale == "linear"
    edges = edges_of(made)
    middles, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    density = np.array([box.reference for box in on_axis(made)]) / width
    assert 0.1 < middles[int(np.argmax(density))] < 0.7
    for at in (0.4, 1.0, 2.0, 4.0):
        b = int(np.searchsorted(edges, at)) - 1
        m = middles[b]
        true = np.exp(-(np.log(m) ** 2) / 2) / (m * np.sqrt(2 * np.pi))
        assert density[b] == pytest.approx(true, rel=0.15), at
    falling = density[int(np.searchsorted(edges, 1.0)) :]
    assert (np.diff(falling[::4]) < 1e-9).all()
    assert falling[-1] < falling[0] / 20


def test_values_over_powers_of_ten_get_a_logarithmic_axis() -> None:
    made = shape(np.random.default_rng(2).lognormal(0.0, 2.0, 50_000))
    assert made.scale == "log"
    edges = np.log10(edges_of(made))
    density = np.array([box.reference for box in on_axis(made)])
    middle = (edges[1:] + edges[:-1]) / 2
    assert abs(middle[int(np.argmax(density))]) < 0.35, "a bell around its median, 1"
    median = np.interp(0.5, np.cumsum(density) / density.sum(), edges[1:])
    assert median == pytest.approx(0.0, abs=0.03)
    assert [mark.text for mark in made.marks].count("1") == 1
    assert shape(np.random.default_rng(2).normal(100.0, 5.0, N)).scale == "linear"
    negative = np.random.default_rng(2).standard_cauchy(N)
    assert shape(negative).scale == "linear", "there is no logarithm"


def test_reference_and_window_are_on_one_axis() -> None:
    rng = np.random.default_rng(3)
    made = shape(rng.normal(0.0, 1.0, N), rng.normal(1.0, 0.5, N))
    edges = edges_of(made)
    middles = (edges[1:] + edges[:-1]) / 2
    for of, mean, sd in (("reference", 0.0, 1.0), ("window", 1.0, 0.5)):
        share = np.array([getattr(box, of) for box in on_axis(made)])
        share /= share.sum()
        assert share @ middles == pytest.approx(mean, abs=0.05)
        assert (share @ (middles - share @ middles) ** 2) ** 0.5 == pytest.approx(sd, abs=0.1)


def test_what_has_no_place_on_the_axis_stands_beside_it() -> None:
    rng = np.random.default_rng(4)
    window = rng.normal(0.0, 1.0, 1_000)
    window[:300], window[300:350], window[350:380] = 50.0, -50.0, np.nan
    made = shape(rng.normal(0.0, 1.0, N), window)
    names = list(beside(made))
    assert re.fullmatch(r"< -[345]\.\d+", names[0])
    assert re.fullmatch(r"≥ [345]\.\d+", names[1])
    assert names[2] == "missing"
    assert [now for _, now in beside(made).values()] == pytest.approx([0.05, 0.3, 0.03], abs=0.002)
    assert not beside(shape(rng.normal(0.0, 1.0, N)))


@pytest.mark.parametrize("code", [9_999.0, 999_999.0, -1e9])
def test_a_few_codes_of_errors_do_not_squeeze_the_others(code: float) -> None:
    rng = np.random.default_rng(5)
    for ages in (rng.integers(18, 90, N).astype(float), rng.normal(50.0, 10.0, N)):
        ages[: N // 50] = code
        made = shape(ages)
        used = sum(box.reference > 0.005 for box in on_axis(made))
        assert used > len(on_axis(made)) / 2
        assert sum(old for old, _ in beside(made).values()) < 0.08


def test_levels_have_a_bar_each() -> None:
    rng = np.random.default_rng(6)
    for step, name in ((1.0, "3"), (0.1, "0.3"), (250.0, "750")):
        levels = rng.choice([1, 2, 3, 5], N, p=[0.4, 0.3, 0.2, 0.1])
        made = shape(levels * step)
        assert [box.name for box in made.boxes][2] == name
        shares = [box.reference for box in made.boxes]
        true = np.bincount(levels)[1:] / N
        assert shares == pytest.approx(true.tolist())
    assert len(shape(np.full(1_000, 3.3)).boxes) == 1
    # A value between two levels is drawn between them.
    made = shape(rng.integers(0, 2, N).astype(float), np.full(1_000, 0.5))
    assert made.scale == "linear"
    assert sum(box.window for box in on_axis(made)[1:-1]) > 0.9


value = st.floats(-1e9, 1e9, width=32) | st.integers(-50, 50).map(float) | st.just(float("nan"))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(value, min_size=300, max_size=400),
    st.lists(value, min_size=1, max_size=50),
)
def test_areas_are_shares(reference: list[float], window: list[float]) -> None:
    values = np.array(reference)
    binning = NumericBinning.fit(values)
    before = np.bincount(binning.bin(values), minlength=binning.n_bins)
    now = np.bincount(binning.bin(np.array(window)), minlength=binning.n_bins)
    signal = signal_of(np.arange(300.0))
    made = shape_of_counts(
        SignalReference("x", "feature", binning, before, signal.calibration), now
    )
    if made is None:
        assert binning.edges.size < 2
        return
    for of in ("reference", "window"):
        assert sum(getattr(box, of) for box in made.boxes) == pytest.approx(1.0)
    ends = [(box.x, box.x + box.width) for box in made.boxes]
    assert all(b <= c + 1e-9 for (_, b), (c, _) in pairwise(ends))
    assert ends[0][0] >= 0
    assert ends[-1][1] <= 1 + 1e-9
    widths = [box.width for box in on_axis(made)]
    assert max(widths) == pytest.approx(min(widths))
    drawn = histogram(Bars((1.0,), (1.0,), (0.0, 1.0), ("all values",), made), "x")
    for kind, of in (("ref", "reference"), ("win", "window")):
        rects = re.findall(
            rf'<rect x="[^"]*" y="[^"]*" width="([^"]*)%" height="([^"]*)" class="{kind}"', drawn
        )
        areas = [float(width) / 100 * float(height) / PLOT_PX * made.top for width, height in rects]
        assert areas == pytest.approx([getattr(box, of) for box in made.boxes], rel=0.02, abs=0.01)


def test_the_few_bins_of_an_alert_are_drawn_as_far_as_they_are_known() -> None:
    rng = np.random.default_rng(7)
    signal = signal_of(rng.normal(0.0, 1.0, N))
    inside = counts_of(signal, np.clip(rng.normal(0.5, 1.0, 2_000), -3.0, 3.0))
    beyond = counts_of(signal, rng.normal(3.0, 1.0, 2_000))
    for counts, open_ends in ((inside, 0), (beyond, 1)):
        told = describe(signal, counts)
        made = shape_of_coarse(told.edges, told.reference, told.window, told.labels, 2_000)
        assert made is not None
        assert len(beside(made)) == open_ends
        assert sum(box.window for box in made.boxes) == pytest.approx(1.0, abs=1e-4)
        full = shape_of_counts(signal, counts)
        assert full is not None
        middle = [box for box in on_axis(made) if box.name]
        assert sum(box.window for box in middle) <= sum(box.window for box in on_axis(full)) + 1e-4
    assert shape_of_coarse((), (1.0,), (1.0,), ("a",), 5) is None
    assert shape_of_coarse((0.0, 1.0), (1.0,), (1.0,), (), 5) is None, "a private model"


def test_new_names_are_shown_however_few() -> None:
    names = [f"n{i}" for i in range(18)]
    before, now = [1 / 18] * 18, [0.5, *[0.49 / 17] * 17]
    bars = Bars(
        (*before, 0.0, 0.0, 0.0),
        (*now, 0.0, 0.01, 0.0),
        labels=(*names, "other", "unseen", "missing"),
    )
    drawn = histogram(bars, "c")
    assert "new names: 0 % → 1 %" in drawn
    assert "n0: 5.56 % → 50 %" in drawn
    # A name of the reference may be called as one of ours.
    own = Bars((0.5, 0.5, 0.0), (0.4, 0.6, 0.0), labels=("missing", "unseen", "other"))
    assert "unseen: 50 %" in histogram(own, "c")
