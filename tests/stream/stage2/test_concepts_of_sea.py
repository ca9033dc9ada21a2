"""SEA (Street and Kim 2001): a fixed model, and a concept that changes three times."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftstream import fit_reference, replay

N, EACH = 50_000, 12_500
START = 1_700_000_000
#: A point is in if its first two coordinates add up to no more; one label in ten is turned round.
CONCEPTS = (8.0, 9.0, 7.0, 9.5)


def points(rng: np.random.Generator, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = rng.random((limits.size, 3)) * 10.0
    return x, (x[:, 0] + x[:, 1] <= limits) != (rng.random(limits.size) < 0.1)


def frame(x: np.ndarray, inside: np.ndarray, start: int) -> dict[str, Any]:
    """What a logistic model of the first concept says, an event a second."""
    score = 1.0 / (1.0 + np.exp(np.clip((x[:, 0] + x[:, 1] - 8.0) / 1.2, -40.0, 40.0)))
    return {
        "ts": START + start + np.arange(len(x)),
        **{name: x[:, j] for j, name in enumerate("abc")},
        "score": score,
        "said": np.where(score >= 0.5, "in", "out"),
        "truth": np.where(inside, "in", "out"),
    }


def test_each_change_of_the_concept_is_named_within_1_000_events() -> None:
    rng = np.random.default_rng(1)
    reference = fit_reference(
        frame(*points(rng, np.full(10_000, CONCEPTS[0])), -10_000),
        model="sea",
        timestamp="ts",
        prediction="said",
        score="score",
        actual="truth",
        positive="in",
    )
    found = replay(frame(*points(rng, np.repeat(CONCEPTS, EACH)), 0), reference)
    (episode,) = (each for each in found if each.kind == "concept_drift")
    at = episode.opened.timestamp() - START
    assert EACH < at <= EACH + 1_000
    assert not [each for each in found if each.opened.timestamp() - START <= EACH]
    turned = [a for a in episode.alerts if "direction" in a.data.news]
    assert len(turned) == 2
    for alert, change in zip(turned, (2, 3), strict=True):
        told = np.datetime64(alert.time.rstrip("Z")).astype("datetime64[s]").astype(int) - START
        assert change * EACH < told <= change * EACH + 1_000
        began = alert.data.signals[0].change_point
        assert began is not None
        since = np.datetime64(began.estimate.rstrip("Z")).astype("datetime64[s]").astype(int)
        assert abs(since - START - change * EACH) <= 600
