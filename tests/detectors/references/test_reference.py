from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors import (
    CategoricalBinning,
    InvalidReferenceError,
    NumericBinning,
    Reference,
    fit_reference,
    infer_kind,
)
from detectors.synth import autoregressive

N = 3_000
WEEK_MS = 604_800_000


def autocorrelated(n: int, rho: float, seed: int = 0) -> np.ndarray:
    return autoregressive(n, rho, np.random.default_rng(seed))


def fit(column: Any, **options: Any) -> Reference:
    return fit_reference({"x": column}, model="m", **options)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    reference = fit_reference(
        {"x": rng.normal(size=N), "c": rng.choice(["a", "b"], N).tolist()},
        model="m",
        times_ms=np.arange(N) * 1000,
        segments=("region",),
    )
    loaded: dict[str, Any] = json.loads(reference.to_json())
    return loaded


def test_a_reference_is_read_back_to_the_bit(mixed: Reference) -> None:
    data = mixed.to_json()
    again = Reference.from_json(data)
    assert again.to_json() == data
    assert again.hash == mixed.hash
    for a, b in zip(mixed.signals, again.signals, strict=True):
        assert (a.counts == b.counts).all()
        assert a.name == b.name
        assert a.calibration.phi == b.calibration.phi


def test_calibration_is_read_back_to_the_bit() -> None:
    reference = fit(autocorrelated(N, 0.5), times_ms=np.arange(N))
    again = Reference.from_json(reference.to_json())
    was, got = reference.signals[0].calibration, again.signals[0].calibration
    assert was.covariance is not None
    assert got.covariance is not None
    assert (was.covariance == got.covariance).all()
    assert again.hash == reference.hash


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        for step in way:
            at = at[step]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "v9", r"format must be driftstream.reference.v1; got 'v9'\. Fit it again"),
        ("model", "", "model must not be empty"),
        ("events", 1.5, "events must be an integer; got number"),
        ("signals", [], "signals must have at least 1 items; got 0"),
        ("signals.0.role", "king", r"signals\[0\]\.role must be one of feature"),
        ("signals.1.name", "x", r"signals\[1\]\.name must be unique"),
        ("signals.0.binning.edges.3", 1e9, r"signals\[0\]\.binning\.edges must increase; got"),
        ("signals.0.binning.edges.3", "x", r"signals\[0\]\.binning\.edges\[3\] must be a number"),
        ("signals.0.binning.kind", "odd", r"signals\[0\]\.binning\.kind must be one of"),
        (
            "signals.1.binning.categories",
            ["a", "a"],
            r"signals\[1\]\.binning\.categories and others",
        ),
        ("signals.0.counts", [1], r"signals\[0\]\.counts must have 68 items; got 1"),
        ("signals.0.counts.5", -1, r"signals\[0\]\.counts\[5\] must be >= 0"),
        ("signals.0.calibration.phi_x", 0.5, r"signals\[0\]\.calibration\.phi_x must be a finite"),
        ("signals.0.calibration.covariance", [1.0], r"covariance must have 253 items; got 1"),
        ("signals.0.calibration.groups.4", 40, r"groups must number groups"),
        ("signals.0.calibration.batches", 0, r"batches must be 0 without a covariance"),
        ("signals.0.mean", 10**400, r"signals\[0\]\.mean must be a finite number"),
        ("segments", ["a", 1], r"segments\[1\] must be a text; got number"),
        ("ordered", 1, "ordered must be true or false"),
        ("signals.0.mean", 0.5, "hash must be sha256:"),
    ],
)
def test_a_changed_reference_is_refused_with_the_place(
    document: dict[str, Any], path: str, value: object, message: str
) -> None:
    broken = json.loads(json.dumps(document))
    _set(path, value)(broken)
    with pytest.raises(InvalidReferenceError, match=message) as caught:
        Reference.from_json(json.dumps(broken).encode(), "refs/fraud.json")
    assert str(caught.value).startswith("refs/fraud.json: ")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"null", b"{}"])
def test_what_is_no_reference_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidReferenceError, match=r"^ref\.json"):
        Reference.from_json(data, "ref.json")


def test_ten_rows_are_refused_with_the_least_needed() -> None:
    with pytest.raises(InvalidReferenceError, match=r"at least 300 rows.*got 10"):
        fit([1.0] * 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": {"y": "score"}}, r"roles\['y'\] must be a role .* of a column"),
        ({"roles": {"x": "king"}}, r"got 'king'"),
        ({"kinds": {"x": "odd"}}, "must be numeric or categorical"),
        ({"times_ms": np.arange(5)}, "5 in 'times_ms'"),
        ({"cycle_ms": 1000}, "needs times_ms"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidReferenceError, match=message):
        fit(np.arange(400.0), **options)


def test_no_columns_are_refused() -> None:
    with pytest.raises(InvalidReferenceError, match="at least one signal"):
        fit_reference({}, model="m")


def test_a_constant_column() -> None:
    reference = fit([7] * 500)
    assert reference.signals[0].mean == 7.0
    assert reference.signals[0].counts.tolist() == [0, 500, 0, 0, 0]


def test_a_column_of_nothing() -> None:
    reference = fit([None] * 500)
    signal = reference.signals[0]
    assert signal.counts[signal.binning.missing] == 500
    assert signal.mean is None
    assert Reference.from_json(reference.to_json()).hash == reference.hash


def test_two_values() -> None:
    signal = fit([0, 1] * 300).signals[0]
    assert signal.counts.tolist() == [0, 300, 0, 300, 0, 0, 0]


def test_texts_in_a_numeric_column_are_of_a_wrong_type() -> None:
    reference = fit([1.5, 2.5] * 290 + ["3"] * 20)
    signal = reference.signals[0]
    assert signal.kind == "numeric"
    assert signal.counts[signal.binning.invalid] == 20
    assert "x: 20 values are not numbers" in reference.warnings


def test_huge_and_infinite_numbers() -> None:
    column = [1e308, -1e308, 10**400, math.inf, -math.inf, math.nan] * 100
    reference = fit(column)
    signal = reference.signals[0]
    assert signal.counts[signal.binning.missing] == 400
    assert signal.counts[signal.binning.invalid] == 0
    assert signal.mean == 0.0
    assert Reference.from_json(reference.to_json()).hash == reference.hash


def test_many_categories_keep_the_most_frequent() -> None:
    names = [f"id{i}" for i in range(12_000)] + ["often"] * 100
    reference = fit(names)
    signal = reference.signals[0]
    assert isinstance(signal.binning, CategoricalBinning)
    assert signal.binning.categories[0] == "often"
    assert signal.counts[signal.binning.new].sum() == 12_001 - 62 - 10_000
    assert any("identifier" in warning for warning in reference.warnings)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (np.arange(5), "numeric"),
        (np.arange(5.0), "numeric"),
        (np.array([True]), "categorical"),
        (np.array(["a"]), "categorical"),
        ([1, 2.5, None], "numeric"),
        ([True, None], "categorical"),
        (["a", 1], "categorical"),
        ([1] * 19 + ["a"], "numeric"),
        ([None], "numeric"),
        (np.array([1.0, None], object), "numeric"),
    ],
)
def test_infer_kind(column: Any, kind: str) -> None:
    assert infer_kind(column) == kind


def test_without_times_a_reference_says_so() -> None:
    reference = fit(np.arange(1000.0))
    assert not reference.ordered
    assert reference.events_per_week == 0
    assert reference.signals[0].calibration.batches == 0
    assert reference.signals[0].calibration.phi == 1.0
    assert any("no times" in warning for warning in reference.warnings)


def test_rows_out_of_order_are_sorted_by_time() -> None:
    x = autocorrelated(N, 0.9)
    times = np.arange(N) * 1000
    shuffled = np.random.default_rng(1).permutation(N)
    straight = fit(x, times_ms=times)
    sorted_ = fit(x[shuffled], times_ms=times[shuffled])
    assert any("sorted" in warning for warning in sorted_.warnings)
    assert sorted_.signals[0].calibration.phi == straight.signals[0].calibration.phi
    assert sorted_.signals[0].counts.tolist() == straight.signals[0].counts.tolist()


def test_the_rate_of_events() -> None:
    reference = fit(np.arange(1001.0), times_ms=np.arange(1001) * 60_000)
    assert reference.events_per_week == 10_080


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_design_effect_is_that_of_the_process(rho: float) -> None:
    phi = [
        fit(autocorrelated(10_000, rho, seed), times_ms=np.arange(10_000)).signals[0].calibration
        for seed in range(12)
    ]
    true = (1 + rho) / (1 - rho)  # of the values; that of their ranks is a little smaller
    assert 0.7 * true < np.mean([c.phi_x for c in phi]) < 1.25 * true


def test_batches_of_a_cycle_and_warnings_where_they_are_few() -> None:
    day = WEEK_MS // 7
    times = np.arange(15 * 100) * (day // 100)
    rng = np.random.default_rng(0)
    reference = fit(rng.normal(size=times.size), times_ms=times, cycle_ms=WEEK_MS)
    calibration = reference.signals[0].calibration
    assert calibration.batches == 15
    assert any("15 sevenths of a cycle" in warning for warning in reference.warnings)
    short = fit(rng.normal(size=600), times_ms=times[:600], cycle_ms=WEEK_MS)
    assert any("only 6 sevenths" in warning for warning in short.warnings)


def test_days_dealt_at_random_are_batches_too() -> None:
    day = WEEK_MS // 7
    times = np.concatenate([d * day + np.arange(100) * 1000 for d in (0, 2, 3, 7, 8, 11, 20, 29)])
    x = np.random.default_rng(0).normal(size=times.size)
    assert fit(x, times_ms=times, cycle_ms=WEEK_MS).signals[0].calibration.batches == 8


def test_binnings_of_a_reference_have_its_kinds(mixed: Reference) -> None:
    assert [s.kind for s in mixed.signals] == ["numeric", "numeric", "numeric", "categorical"]
    assert isinstance(mixed.signals[0].binning, NumericBinning)
    assert mixed.layout().names == ("normal", "lognormal", "poisson", "name")
