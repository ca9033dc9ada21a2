"""Gate 9: a subject keeps to its false alarms a week, through the product's own monitor.

Twenty signals that share a common factor (correlation .5). Each subject has a reference of its own,
since a bad one would alarm again and again.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy import stats

from benchmarks.gates.draws import AliasDraw, factor_levels
from benchmarks.gates.measured import MOST_IN_ALARM_EASY, Measured, rate_of, time_in_alarm
from benchmarks.gates.subject import SubjectRun
from detectors import fit_reference
from stream.plans.plan import Plan

__all__ = ["SIGNALS", "correlated_subject", "simulate"]

SIGNALS = 20
WEEK_MS = 604_800_000
_HALF = float(np.sqrt(0.5))
_LEVELS = factor_levels(16)


def correlated_subject(
    seed: int,
    *,
    events_per_week: float,
    pane_ms: int,
    rows: int = 10_000,
    false_alarms_per_week: float = 1.0,
) -> tuple[Plan, AliasDraw]:
    """A plan fitted to its own reference, and the draw of panes without a change."""
    rng = np.random.default_rng(seed)
    common = _LEVELS[rng.integers(0, _LEVELS.size, rows)]
    values = _HALF * common[:, None] + _HALF * rng.standard_normal((rows, SIGNALS))
    times = (np.arange(rows) * (WEEK_MS / events_per_week)).astype(np.int64)
    reference = fit_reference(
        {f"f{i}": column for i, column in enumerate(values.T.copy())}, model="m", times_ms=times
    )
    plan = Plan(
        model="m",
        reference=reference,
        pane_ms=pane_ms,
        false_alarms_per_week=false_alarms_per_week,
    )
    laws = []
    for signal in reference.signals:
        binning = signal.binning
        edges = binning.edges  # type: ignore[union-attr]
        below = stats.norm.cdf((edges - _HALF * _LEVELS[:, None]) / _HALF)
        law = np.zeros((_LEVELS.size, binning.n_bins))
        ends = np.ones((_LEVELS.size, 1))
        law[:, : edges.size + 1] = np.diff(np.hstack([0 * ends, below, ends]))
        laws.append(law)
    return plan, AliasDraw(plan.layout, laws, seed + 1)


def simulate(
    what: str,
    *,
    weeks: int,
    subjects: int,
    events_per_week: float,
    pane_ms: int,
    seed: int,
    most_rate: float | None = None,
    most_episodes: int | None = None,
    false_alarms_per_week: float = 1.0,
) -> list[Measured]:
    """Null weeks of several subjects; panes hold a Poisson number of events."""
    opened, shares = np.zeros(subjects, np.int64), [0.0] * subjects
    causes: Counter[str] = Counter()
    a_subject = weeks / subjects
    for k in range(subjects):
        plan, draw = correlated_subject(
            seed + 10 * k,
            events_per_week=events_per_week,
            pane_ms=pane_ms,
            false_alarms_per_week=false_alarms_per_week,
        )
        rng = np.random.default_rng(seed + 10 * k + 5)
        run = SubjectRun(plan)
        sizes = rng.poisson(
            events_per_week * pane_ms / WEEK_MS, round(a_subject * WEEK_MS / pane_ms)
        )
        start = -(-plan.reference.last_ms // pane_ms) * pane_ms
        for t, n in enumerate(sizes.tolist()):
            if n:
                run.feed(start + t * pane_ms, draw.pane(n))
        opened[k], shares[k] = run.opened, run.share_in_alarm
        causes += run.first_findings
    budget = run.detection.budget
    rate, low, high = rate_of(opened, a_subject)
    by = ", ".join(f"{test} {n}" for test, n in causes.most_common()) or "none"
    note = (
        f"{opened.sum()} episodes in {weeks} weeks of {subjects} references ({by}); "
        f"alpha {budget.window_alpha:.2g}, delta {budget.adwin_delta():.2g}, "
        f"A {budget.edetector_threshold:.2g}, z {budget.edetector_z:g}"
    )
    if most_episodes is not None:
        count = Measured(
            f"{what}: episodes in all",
            float(opened.sum()),
            low * weeks,
            high * weeks,
            most=float(most_episodes),
            note=note,
        )
    else:
        count = Measured(
            f"{what}: episodes a week", rate, low, high, most=most_rate, note=note, by_bound=True
        )
    return [count, time_in_alarm(what, shares, MOST_IN_ALARM_EASY, "panes")]


def run(
    slow_weeks: int = 200, fast_weeks: int = 20, sparse_weeks: int = 40, seed: int = 109
) -> list[Measured]:
    """One event a minute, a hundred a second, and one a minute in panes of 10 s."""
    minute, fast = 10_080.0, 60_480_000.0
    rows = simulate(
        "20 signals (rho .5), 1 event/min, panes of 20 min, F = 1",
        weeks=slow_weeks,
        subjects=max(1, slow_weeks // 10),
        events_per_week=minute,
        pane_ms=1_200_000,
        seed=seed * 1_000,
        most_rate=1.0,
    )
    if fast_weeks:
        rows += simulate(
            "20 signals (rho .5), 100 events/s, panes of 10 s, F = 1",
            weeks=fast_weeks,
            subjects=max(1, fast_weeks // 2),
            events_per_week=fast,
            pane_ms=10_000,
            seed=seed * 2_000,
            most_episodes=12,
        )
    if sparse_weeks:
        rows += simulate(
            "20 signals (rho .5), 1 event/min, panes of 10 s, F = 1",
            weeks=sparse_weeks,
            subjects=max(1, sparse_weeks // 4),
            events_per_week=minute,
            pane_ms=10_000,
            seed=seed * 3_000,
            most_rate=1.0,
        )
    return rows
