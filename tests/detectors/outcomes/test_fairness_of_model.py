"""Fairness by what a reference holds: spells of errors make no disparity."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.outcomes.fair import ALPHA, NULL, World, found_in
from detectors import OutcomeOptions, fit_reference
from detectors.outcomes.of_model import ModelMetrics


@pytest.mark.parametrize("name", [name for name in NULL if "spells" in name])
def test_spells_of_errors_stay_silent(name: str) -> None:
    world, references, tests = NULL[name], 8, 30
    found = found_in(np.random.default_rng(3), world, world, references, tests)
    for disparity in found[0]:
        hits = sum(each[disparity] for each in found)
        assert hits <= 2.0 * ALPHA * references * tests, (disparity, hits)


def test_what_grew_is_found_though_errors_come_in_spells() -> None:
    before = World((0.5, 0.5), (0.8, 0.8), (0.2, 0.2), 0.9)
    now = World((0.5, 0.5), (0.45, 0.95), (0.2, 0.2), 0.9)
    found = found_in(np.random.default_rng(3), before, now, 4, 20)
    assert sum(each["equal_opportunity_difference"] for each in found) > 60


def test_intervals_of_metrics_are_wider_where_errors_come_in_spells() -> None:
    """An error is a name, right or wrong, whose design effect is that of its share."""
    widths = []
    for memory in (0.0, 0.9):
        world = World((1.0,), (0.8,), (0.2,), memory)
        _, yes, said = world.rows(np.random.default_rng(1), 10_000)
        words = np.array(["no", "yes"])
        reference = fit_reference(
            {"said": words[said].tolist(), "truth": words[yes].tolist()},
            model="m",
            roles={"said": "label", "truth": "actual"},
            times_ms=np.arange(10_000) * 1_000,
            outcome=OutcomeOptions(positive="yes"),
        )
        assert reference.outcome is not None
        metrics = ModelMetrics(reference.outcome, reference.signals)
        accuracy = metrics.reference["accuracy"]
        widths.append((metrics.phi, accuracy.high - accuracy.low))
    (alone, narrow), (together, wide) = widths
    assert alone < 1.5 < 5.0 < together
    assert wide == pytest.approx(narrow * np.sqrt(together / alone), rel=0.05)
