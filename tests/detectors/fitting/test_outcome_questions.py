"""What `fit` asks about outcomes, and where it has nothing to ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors import fit_reference

N = 3_000
RNG = np.random.default_rng(5)
TRUTH = RNG.random(N) < 0.4
RIGHT = np.where(RNG.random(N) < 0.8, TRUTH, ~TRUTH)
SCORE = np.clip(np.where(RIGHT, 0.7, 0.3) + RNG.normal(0, 0.1, N), 0.01, 0.99)
CLASS = RNG.integers(0, 30, N)
SAID = np.where(RNG.random(N) < 0.8, CLASS, (CLASS + 1) % 30)


def names(bits: Any, no: str = "no", yes: str = "yes") -> list[str]:
    return np.where(bits, yes, no).tolist()


def warnings_of(**columns: Any) -> list[str]:
    roles = {name: name for name in columns}
    return list(fit_reference(columns, model="m", roles=roles, times_ms=None).warnings)


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "written otherwise": (
        {"label": names(RIGHT, "No", "Yes"), "actual": names(TRUTH)},
        "no class of label ('No', 'Yes') is one of actual ('no', 'yes')",
    ),
    "a truth that is none": (
        {
            "label": names(RIGHT),
            "actual": np.where(RNG.random(N) < 0.6, "unknown", names(TRUTH)).tolist(),
        },
        "say --missing unknown",
    ),
    "the score of the other class": (
        {"label": names(RIGHT), "score": 1.0 - SCORE, "actual": names(TRUTH)},
        "Is it the score of 'no'?",
    ),
    "a score in percent": (
        {"label": names(RIGHT), "score": 100.0 * SCORE, "actual": names(TRUTH)},
        "so it is no probability: log loss, Brier score, calibration error and estimates",
    ),
    "more classes than cells": (
        {"label": [f"c{k}" for k in SAID], "actual": [f"c{k}" for k in CLASS]},
        "16 of 30 classes are told apart",
    ),
    "numbers as classes": (
        {"label": [str(k) for k in SAID], "actual": [str(k) for k in CLASS]},
        "say --numeric actual --numeric label",
    ),
}
EVEN: dict[str, dict[str, Any]] = {
    "two classes": {"label": names(RIGHT), "score": SCORE, "actual": names(TRUTH)},
    "a score alone": {"score": SCORE, "actual": names(TRUTH)},
    "a score of no use": {"label": names(RIGHT), "score": RNG.random(N), "actual": names(TRUTH)},
    "ten whole numbers": {
        "label": [str(k % 10) for k in SAID], "actual": [str(k % 10) for k in CLASS]
    },
    "a class that is never said, of two": {"label": ["no"] * N, "actual": names(TRUTH)},
    "numbers": {"label": SCORE, "actual": SCORE + RNG.normal(0, 0.1, N)},
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_asked(case: str) -> None:
    columns, words = ODD[case]
    assert any(words in warning for warning in warnings_of(**columns))


@pytest.mark.parametrize("case", EVEN)
def test_what_is_not_odd_is_not_asked(case: str) -> None:
    found = " ".join(warnings_of(**EVEN[case]))
    for _, words in ODD.values():
        assert words not in found
    for asked in (
        "no class of",
        "--missing",
        "Is it the score",
        "told apart",
        "--numeric",
        "probab",
    ):
        assert asked not in found


def test_what_is_left_out_of_the_accuracy_is_counted() -> None:
    columns, _ = ODD["more classes than cells"]
    (words,) = [w for w in warnings_of(**columns) if "left out of the accuracy" in w]
    reference = fit_reference(
        columns, model="m", roles={name: name for name in columns}, times_ms=None
    )
    assert reference.outcome is not None
    kept = set(reference.outcome.cells.classes)
    naive = sum(
        a not in kept and b not in kept
        for a, b in zip(columns["label"], columns["actual"], strict=True)
    )
    assert f"{naive:,} of {N:,} rows" in words
