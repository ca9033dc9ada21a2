"""A model of which everything goes wrong, one thing after another: inputs, outcomes, fairness.

It has a limit, segments and combinations of them, two protected columns, and truths with every
prediction, one a minute. So a replay of it has episodes of every kind that is of a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from detectors import OutcomeOptions, fit_reference
from stream.contracts.alert_event import AlertEvent
from stream.contracts.plan_settings import Limit
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay

__all__ = ["EVENTS", "START_S", "alerts", "events", "plan"]

START_S = 1_780_272_000  # 2026-06-01 00:00 UTC
EVENTS = 16_000
MODEL, VERSION = "credit-risk", "2026-05"
PAIR = ("sex", "age_band")
#: From which event to which.
MISSING = range(2_000, 4_000)  # 6 % of the incomes
SHUFFLED = range(5_000, 7_000)  # truths are the opposite of what scores say
DEARER = range(8_000, 9_500)  # amounts in one region
UNEQUAL = range(10_500, 13_000)  # women are selected less, men more
Columns = dict[str, Any]


def columns(seed: int, n: int, *, is_quiet: bool) -> Columns:
    """Rows by column; nothing happens where it is quiet."""
    rng = np.random.default_rng(seed)

    def within(span: range) -> Any:
        return np.isin(np.arange(n), span) & (not is_quiet)

    amount, income = rng.lognormal(3, 1, n), rng.gamma(4, 800, n)
    region = rng.choice(["eu", "us", "apac"], n, p=[0.5, 0.3, 0.2])
    sex = rng.choice(["F", "M"], n)
    score = 1 / (1 + np.exp(income / 1_500 - amount / 20 - 1))
    chance = np.where(within(SHUFFLED), 1 - score, score)
    amount[within(DEARER) & (region == "eu")] *= 2.5
    score[within(UNEQUAL) & (sex == "F")] *= 0.55
    score[within(UNEQUAL) & (sex == "M")] *= 1.25
    score = score.clip(0, 1)
    gone = within(MISSING) & (rng.random(n) < 0.06)
    return {
        "amount": amount.round(2).tolist(),
        "income": np.where(gone, None, income.round()).tolist(),
        "region": region.tolist(),
        "sex": sex.tolist(),
        "age_band": rng.choice(["18-39", "40-59", "60+"], n, p=[0.4, 0.35, 0.25]).tolist(),
        "score": score.round(4).tolist(),
        "label": np.where(score >= 0.5, "yes", "no").tolist(),
        "repaid": np.where(rng.random(n) < chance, "yes", "no").tolist(),
    }


def plan() -> Plan:
    """As a user would have it whose model must be right in seven of ten cases."""
    before = columns(1, 12_000, is_quiet=True)
    del before["region"]
    reference = fit_reference(
        before,
        model=MODEL,
        roles={"score": "score", "label": "label", "repaid": "actual"},
        times_ms=60_000 * np.arange(12_000),
        outcome=OutcomeOptions(positive="yes", protected=("sex", PAIR)),
    )
    return Plan(
        model=MODEL,
        reference=reference,
        pane_ms=3_600_000,
        window_events=1_000,
        window_min_events=300,
        segments=("region", "sex", PAIR),
        protected=("sex", PAIR),
        limits=(Limit(metric="accuracy", at_least=0.70),),
    )


def events() -> Iterator[bytes]:
    """Single events in their order."""
    of = columns(2, EVENTS, is_quiet=False)
    for i in range(EVENTS):
        yield msgspec.json.encode(
            {
                "model": {"name": MODEL, "version": VERSION},
                "timestamp": START_S + 60 * i,
                "features": {name: of[name][i] for name in ("amount", "income")},
                "prediction": {name: of[name][i] for name in ("label", "score")},
                "actual": of["repaid"][i],
                "segments": {name: of[name][i] for name in ("region", "sex", "age_band")},
            }
        )


def alerts() -> list[AlertEvent]:
    """All that a replay says."""
    book = PlanBook()
    book.add(plan())
    return list(Replay(book).run(FileRecord(i, 0, value) for i, value in enumerate(events())))
