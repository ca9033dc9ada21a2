"""A reference of production's counts has production's outcomes, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors import Reference, fit_reference
from detectors.counting.outcome_places import OutcomePlaces
from detectors.fitting.rebase import rebased

N, BATCHES = 4_000, 20


def batches(reference: Reference, rng: np.random.Generator, right: float) -> np.ndarray:
    """Flat counts of 200 events each: a score, and what comes follows it so often."""
    outcome, by_name = reference.outcome, {s.name: s.binning for s in reference.signals}
    assert outcome is not None
    places, rows = OutcomePlaces(outcome.cells, by_name), []
    for _ in range(BATCHES):
        score = rng.random(200)
        came = (rng.random(200) < score) == (rng.random(200) < right)
        s = by_name["score"].bin(score).astype(np.int32)
        a = np.array([by_name["actual"].bin("yes" if y else "no") for y in came], np.int32)
        predicted, actual = places.classes(s, a)
        where, is_right, _ = places.place(predicted, actual, s)
        cells = np.zeros(outcome.cells.width, np.int64)
        for column in where.T:
            np.add.at(cells, column[column >= 0], 1)
        e = np.where(is_right == 1, 0, 1)
        parts = [np.bincount(b, minlength=by_name[n].n_bins) for n, b in
                 (("score", s), ("actual", a), ("error", e))]  # fmt: skip
        rows.append(np.concatenate([[200], *parts, cells]))
    return np.array(rows, np.int64)


def test_outcomes_are_those_of_production() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(N)
    truth = np.where(rng.random(N) < score, "yes", "no")
    reference = fit_reference(
        {"score": score, "actual": truth},
        model="m",
        roles={"score": "score", "actual": "actual"},
        times_ms=np.arange(N) * 1_000,
    )
    table = batches(reference, rng, 0.6)
    fresh = rebased(reference, reference.signals, table, first_ms=0, last_ms=10**9)
    assert fresh.outcome is not None
    assert fresh.outcome.counts.tolist() == table[:, -fresh.outcome.cells.width :].sum(0).tolist()
    assert fresh.outcome.events == 200 * BATCHES
    assert fresh.outcome.batches == BATCHES
    assert min(fresh.outcome.effects) >= 1.0
    error = fresh.signals[-1].counts
    assert error[0] / error.sum() < 0.65 < reference.signals[-1].counts[0] / N
    assert Reference.from_json(fresh.to_json()).hash == fresh.hash
    # Without a truth in production the old outcomes stand.
    table[:, -fresh.outcome.cells.width :] = 0
    old = rebased(reference, reference.signals, table, first_ms=0, last_ms=10**9)
    assert old.outcome is reference.outcome


def test_outcomes_are_part_of_a_reference_s_hash() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(N)
    reference = fit_reference(
        {"score": score, "actual": np.where(rng.random(N) < score, "yes", "no")},
        model="m",
        roles={"score": "score", "actual": "actual"},
    )
    assert reference.outcome is not None
    assert replace(reference, outcome=None).hash != reference.hash
