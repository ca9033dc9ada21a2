"""Whole weeks by `replay`, in which nothing changes: episodes, and the time they are open."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special
from scipy.signal import lfilter

from benchmarks.gates.measured import (
    MOST_IN_ALARM_EASY,
    Measured,
    rate_of,
    time_in_alarm,
)
from driftstream import fit_reference, replay

__all__ = ["weeks"]

START, STEP_S = 1_700_000_000, 30
WEEK = 604_800 // STEP_S
OF_OUTCOMES = ("performance", "concept_drift")


def weeks(references: int = 12, watched: int = 4, seed: int = 6) -> list[Measured]:
    """One event in 30 s, references of two weeks, F = 1; truths independent, or in spells."""
    rows = []
    for memory in (0.0, 0.9):
        opened = {kinds: np.zeros(references, np.int64) for kinds in ("all", "outcomes")}
        alarm = {kinds: np.zeros(references) for kinds in opened}
        for r in range(references):
            rng = np.random.default_rng([seed, r])
            frame = _frame(rng, (2 + watched) * WEEK, memory)
            reference = fit_reference(
                {name: column[: 2 * WEEK] for name, column in frame.items()},
                model="m",
                timestamp="ts",
                prediction="said",
                score="score",
                actual="truth",
            )
            later = {name: column[2 * WEEK :] for name, column in frame.items()}
            end = float(frame["ts"][-1])
            spans: dict[str, list[tuple[float, float]]] = {kinds: [] for kinds in opened}
            for episode in replay(later, reference):
                until = end if episode.ended is None else episode.ended.timestamp()
                span = (episode.opened.timestamp(), until)
                spans["all"].append(span)
                if episode.kind in OF_OUTCOMES:
                    spans["outcomes"].append(span)
            for kinds, of in spans.items():
                opened[kinds][r] = len(of)
                alarm[kinds][r] = _covered(of) / (watched * WEEK * STEP_S)
        stream = "truths in spells, AR .9" if memory else "independent truths"
        for kinds, words in (("all", "all kinds"), ("outcomes", "performance, concept_drift")):
            note = f"{references} references x {watched} weeks"
            rows += [
                Measured(
                    f"{stream}: episodes a week, {words}, F = 1",
                    *rate_of(opened[kinds], watched),
                    most=1.0,
                    note=f"{int(opened[kinds].sum())} in {note}",
                    by_bound=True,
                ),
                time_in_alarm(
                    f"{stream}, {words}", alarm[kinds].tolist(), MOST_IN_ALARM_EASY, "time"
                ),
            ]
    return rows


def _frame(rng: np.random.Generator, n: int, memory: float) -> dict[str, Any]:
    """Scores that are what comes; whether it does hangs together as an AR(1) of that memory."""
    score = np.clip(rng.beta(0.6, 0.9, n), 0.001, 0.999)
    noise = rng.normal(size=n)
    noise[1:] *= np.sqrt(1.0 - memory**2)
    came = special.ndtr(lfilter([1.0], [1.0, -memory], noise)) < score
    return {
        "ts": START + STEP_S * np.arange(n),
        "x": rng.normal(size=n),
        "score": score,
        "said": np.where(score >= 0.5, "yes", "no"),
        "truth": np.where(came, "yes", "no"),
    }


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds in any of these."""
    total = until = 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
