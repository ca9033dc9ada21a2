"""Counts of a reference by value of a segment: exact, with dependence of their own, and bounded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors import InvalidReferenceError, OutcomeOptions, Reference, fit_reference
from detectors.change_points.recounted import reference_of_part
from detectors.counting.sparse import decode_counts
from detectors.fitting.parts import most_parts
from detectors.fitting.rebase import rebased
from detectors.references.calibration import Calibration
from detectors.references.canonical import content_hash
from detectors.references.segments import MAX_VALUES
from stream.plans.privacy import CategoryHash, apply_privacy

N = 6_000


def columns(seed: int = 0, n: int = N) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    where = rng.choice(["a", "b", "c"], n, p=[0.6, 0.38, 0.02])
    score = rng.random(n)
    return {
        "x": rng.normal(np.where(where == "b", 1.0, 0.0)),
        "k": rng.choice(list("uvw"), n),
        "score": score,
        "came": np.where(rng.random(n) < score, "yes", "no"),
        "where": where,
    }


def fitted(data: dict[str, Any], **other: Any) -> Reference:
    roles = {"score": "score", "came": "actual"}
    return fit_reference(
        data,
        model="m",
        roles=roles,
        segments=("where",),
        times_ms=np.arange(len(data["x"])) * 1_000,
        outcome=OutcomeOptions(positive="yes"),
        **other,
    )


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return columns()


@pytest.fixture(scope="module")
def reference(data: dict[str, Any]) -> Reference:
    return fitted(data)


def width(reference: Reference) -> int:
    assert reference.outcome is not None
    return sum(s.binning.n_bins for s in reference.signals) + reference.outcome.cells.width


def test_the_frequent_values_have_counts_and_the_rare_one_has_none(reference: Reference) -> None:
    (parts,) = reference.parts
    assert [part.scope for part in parts.parts] == ["where=a", "where=b"]
    assert parts.others == 1  # c has some 120 rows


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    data = columns()
    data["where"] = np.where(data["where"] == "c", "a", data["where"])
    reference = fitted(data)
    parts = reference.parts[0].parts
    total = sum(decode_counts(part.counts, width(reference)) for part in parts)
    assert reference.outcome is not None
    whole = np.concatenate([*(s.counts for s in reference.signals), reference.outcome.counts])
    assert np.array_equal(total, whole)
    assert sum(part.events for part in parts) == reference.events


def test_a_part_is_its_rows_in_the_bins_of_the_whole(
    data: dict[str, Any], reference: Reference
) -> None:
    part = reference_of_part(reference, reference.parts[0].parts[1])
    mine = data["where"] == "b"
    binning = reference.signals[0].binning
    counts = np.bincount(binning.bin(data["x"][mine]), minlength=binning.n_bins)  # type: ignore[union-attr]
    assert np.array_equal(part.signals[0].counts, counts)
    assert part.events == int(mine.sum())
    assert part.signals[0].mean == pytest.approx(float(data["x"][mine].mean()), abs=0.1)
    assert part.outcome is not None
    assert part.outcome.events == int(mine.sum())
    assert part.layout().width == reference.layout().width


def test_what_is_read_back_is_the_same(reference: Reference) -> None:
    again = Reference.from_json(reference.to_json())
    assert again.hash == reference.hash
    assert again.to_json() == reference.to_json()
    first, second = (reference_of_part(r, r.parts[0].parts[0]) for r in (reference, again))
    assert first.hash == second.hash


def test_without_segments_nothing_is_added(data: dict[str, Any]) -> None:
    data = {name: column for name, column in data.items() if name != "where"}
    reference = fit_reference(data, model="m")
    assert "parts" not in json.loads(reference.to_json())


def test_dependence_is_that_of_the_part() -> None:
    rng, n = np.random.default_rng(3), 12_000
    slow = np.repeat(rng.normal(size=n // 100), 100)  # alike for a hundred rows
    which = np.where(np.arange(n) % 2 == 0, "slow", "quick")
    x = np.where(which == "slow", slow + rng.normal(0.0, 0.5, n), rng.normal(size=n))
    reference = fit_reference(
        {"x": x, "which": which},
        model="m",
        segments=("which",),
        times_ms=np.arange(n) * 1_000,
    )
    by_scope = {part.scope: part.calibrations[0].phi_x for part in reference.parts[0].parts}
    assert by_scope["which=slow"] > 15.0
    assert by_scope["which=quick"] < 3.0


def test_a_part_that_tells_too_little_has_the_dependence_of_the_whole(reference: Reference) -> None:
    part = reference.parts[0].parts[0]
    bare = replace(
        part, calibrations=tuple(Calibration(c.groups, novel=c.novel) for c in part.calibrations)
    )
    signal, whole = reference_of_part(reference, bare).signals[0], reference.signals[0]
    assert signal.calibration.batches == whole.calibration.batches
    assert signal.effect >= whole.calibration.effect(whole.counts) * 0.99
    alone = replace(
        reference,
        signals=tuple(
            replace(s, calibration=Calibration(s.calibration.groups)) for s in reference.signals
        ),
    )
    assert reference_of_part(alone, bare).signals[0].calibration.batches == 0


def test_parts_are_at_most_twenty_and_fewer_where_signals_are_many() -> None:
    rng = np.random.default_rng(1)
    n = 12_000
    names = np.array([f"v{i:02}" for i in range(30)])[np.arange(n) % 30]
    reference = fit_reference({"x": rng.normal(size=n), "g": names}, model="m", segments=("g",))
    assert len(reference.parts[0].parts) == MAX_VALUES
    assert reference.parts[0].others == 10
    assert most_parts(20, 1) >= MAX_VALUES
    assert most_parts(1_000, 2) == 2


def test_twenty_signals_of_ten_parts_are_some_hundred_kilobytes() -> None:
    rng = np.random.default_rng(2)
    n = 10_000
    data: dict[str, Any] = {f"x{i}": rng.normal(size=n) for i in range(20)}
    data["g"] = np.array([f"v{i}" for i in range(10)])[np.arange(n) % 10]
    sizes = [
        len(fit_reference(data, model="m", segments=("g",), times_ms=times).to_json())
        - len(fit_reference(data, model="m", times_ms=times).to_json())
        for times in (None, np.arange(n) * 1_000)
    ]
    assert sizes[0] < 80_000
    assert sizes[1] < 400_000


def test_names_that_come_and_go_are_expected_of_the_part_that_has_them() -> None:
    rng, n = np.random.default_rng(4), 12_000
    where = np.where(np.arange(n) % 2 == 0, "shop", "bank")
    session = np.array([f"s{i // 60}" for i in range(n)])  # another one every sixty rows
    name = np.where(where == "shop", session, rng.choice(list("abc"), n))
    reference = fit_reference(
        {"name": name, "where": where},
        model="m",
        segments=("where",),
        times_ms=np.arange(n) * 1_000,
    )
    novel = {part.scope: part.calibrations[0].novel for part in reference.parts[0].parts}
    assert novel["where=shop"] > 4_000
    assert novel["where=bank"] == 0


def _parts(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["parts"][0]
    return found


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda d: _parts(d)["parts"][0].update(counts="AAAA"), "parts[0].parts[0].counts"),
        (lambda d: _parts(d)["parts"][0].update(counts="?"), "must be Base64"),
        (lambda d: _parts(d)["parts"][0]["calibrations"].pop(), "calibrations must be"),
        (lambda d: _parts(d)["parts"][0].update(effects=[0.5, 1, 1]), "effects must be at least 1"),
        (lambda d: _parts(d)["parts"][1].update(scope="where=a"), "different scopes"),
        (lambda d: d["parts"].append(d["parts"][0]), "different segments"),
        (
            lambda d: _parts(d)["parts"][0]["calibrations"][0].update(covariance="AAAA"),
            "covariance must be of",
        ),
        (
            lambda d: _parts(d)["parts"][0]["calibrations"][0].update(groups="AAAA"),
            "groups must number groups",
        ),
    ],
)
def test_what_is_wrong_of_a_part_is_said(
    reference: Reference, spoil: Callable[[dict[str, Any]], object], said: str
) -> None:
    document = json.loads(reference.to_json())
    spoil(document)
    del document["hash"]
    document["hash"] = content_hash(document)
    with pytest.raises(InvalidReferenceError) as error:
        Reference.from_json(json.dumps(document))
    assert said in str(error.value).replace(": must", " must"), str(error.value)


def test_a_reference_from_production_says_that_it_has_no_parts(reference: Reference) -> None:
    assert reference.outcome is not None
    counts = [signal.counts for signal in reference.signals]
    table = np.tile(np.concatenate([[N], *counts, reference.outcome.counts]), (10, 1))
    for old, said in ((reference, 1), (replace(reference, parts=()), 0)):
        fresh = rebased(old, old.signals, table, first_ms=0, last_ms=10**9)
        assert not fresh.parts
        assert sum("compared with the whole of it" in each for each in fresh.warnings) == said


def test_a_part_keeps_its_counts_when_signals_are_dropped(reference: Reference) -> None:
    private = apply_privacy(reference, ["x"], ["k"], CategoryHash("0123456789abcdef"))
    assert [s.name for s in private.signals][:2] == ["k", "score"]
    for part, before in zip(private.parts[0].parts, reference.parts[0].parts, strict=True):
        fresh, old = reference_of_part(private, part), reference_of_part(reference, before)
        assert np.array_equal(fresh.signals[1].counts, old.signals[2].counts)
        assert sorted(fresh.signals[0].counts.tolist()) == sorted(old.signals[1].counts.tolist())
        assert fresh.outcome is not None
        assert old.outcome is not None
        assert np.array_equal(fresh.outcome.counts, old.outcome.counts)
    again = Reference.from_json(private.to_json())
    assert again.parts[0].parts[0].counts == private.parts[0].parts[0].counts
    hidden = apply_privacy(reference, ["came"], [], None)
    assert hidden.outcome is None
    Reference.from_json(hidden.to_json())
    assert reference_of_part(hidden, hidden.parts[0].parts[0]).events > 0
