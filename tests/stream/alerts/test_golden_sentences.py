"""What an alert says in one breath: every kind of effect, word for word."""

from __future__ import annotations

import re
from statistics import median
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from stream.contracts.alert_event import KINDS, AlertEvent
from stream.plans.plan import Plan, PlanBook
from tests.stream import all_kinds
from tests.stream.harness import START_S, run_stages

EVENTS, CHANGE = 6_000, 2_000
#: To the first full stop that ends a sentence.
LONGEST = 200

Rng = np.random.Generator
Columns = dict[str, list[Any]]


def columns(rng: Rng, n: int) -> Columns:
    """An amount, a zero-mean number, three channels, 300 cities, a score, an error or none."""
    return {
        "amount": rng.gamma(4.0, 5.0, n).round(3).tolist(),
        "delta": rng.normal(size=n).round(3).tolist(),
        "channel": rng.choice(["app", "web", "shop"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "city": [f"city{k}" for k in rng.integers(0, 300, n)],
        "score": rng.beta(2, 5, n).round(4).tolist(),
        "error": rng.choice(["right", "wrong"], n, p=[0.9, 0.1]).tolist(),
    }


def told(column: str, change: Any, **plan: Any) -> list[str]:
    """The summaries of the alerts when values of a column become `change(rng, value)`."""
    rng = np.random.default_rng(15)
    reference = fit_reference(
        columns(rng, 10_000), model="fraud", roles={"score": "score", "error": "actual"}
    )
    plans = PlanBook()
    plans.add(
        Plan(
            model="fraud",
            reference=reference,
            pane_ms=60_000,
            window_events=1_000,
            window_min_events=300,
            segments=("region",),
            **plan,
        )
    )
    values = columns(rng, EVENTS)
    regions = rng.choice(["eu", "us"], EVENTS).tolist()
    for i in range(CHANGE, EVENTS):
        values[column][i] = change(rng, values[column][i], regions[i], i)
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "fraud", "version": "3"},
                "timestamp": START_S + i,
                "features": {name: of[i] for name, of in values.items() if name[0] not in "se"},
                "prediction": {"score": values["score"][i]},
                "actual": values["error"][i],
                "segments": {"region": regions[i]},
            }
        )
        for i in range(EVENTS)
    ]
    alerts, _ = run_stages(plans, events, partitions=2, seed=1)
    return [alert["data"]["annotations"]["summary"] for alert in alerts]


def breath(summary: str) -> str:
    """What is read in one breath: the first sentence. What may have brought it comes after."""
    return re.split(r"\.(?= |$)", summary)[0] + "."


def mostly(share: float, other: Any) -> Any:
    return lambda rng, value, region, i: other if rng.random() < share else value


CASES: dict[str, tuple[str, Any]] = {
    "mean": ("amount", lambda rng, x, region, i: x * 3.0),
    "zero mean": ("delta", lambda rng, x, region, i: x + 0.8),
    "spread": ("delta", lambda rng, x, region, i: x * 2.0),
    "missing": ("amount", mostly(0.06, None)),
    "wrong type": ("amount", mostly(0.06, "n/a")),
    "unseen": ("channel", mostly(0.08, "kiosk")),
    "share of a name": ("channel", lambda rng, x, region, i: "shop" if rng.random() < 0.3 else x),
    "rare name": ("city", mostly(0.08, "city7")),
    "rate": ("error", mostly(0.15, "wrong")),
    "score": ("score", lambda rng, x, region, i: min(1.0, x + 0.2)),
    "segment": ("delta", lambda rng, x, region, i: x + (0.8 if region == "eu" else -0.8)),
    "slow": ("delta", lambda rng, x, region, i: x + 2.0 * (i - CHANGE) / (EVENTS - CHANGE)),
}


@pytest.fixture(scope="module")
def summaries() -> dict[str, list[str]]:
    return {name: told(*case) for name, case in CASES.items()}


@pytest.mark.parametrize(
    ("name", "since", "golden"),
    [
        ("mean", "14:20", "Data drift: median of 'amount' 18.6 -> over 47.1"),
        ("zero mean", "14:20", "Data drift: median of 'delta' 0.007 -> 1.08"),
        (
            "spread",
            "14:20",
            "Data drift: 90 % of 'delta' within -1.65 to 1.69 -> under -2.19 to over 2.2",
        ),
        ("missing", "14:20", "Data quality problem: 5 % of 'amount' is missing (usually 0 %)"),
        (
            "wrong type",
            "14:20",
            "Data quality problem: 5 % of 'amount' is of the wrong type (usually 0 %)",
        ),
        (
            "unseen",
            "14:20",
            "Data quality problem: 7.5 % of 'channel' was never seen before (usually 0 %)",
        ),
        ("share of a name", "14:20", "Data drift: 'shop' is 45.8 % of 'channel' (usually 20.4 %)"),
        (
            "rare name",
            "14:20",
            "Data drift: one group of rare names is 9.52 % of 'city' (usually 1.99 %)",
        ),
        ("rate", "14:20", "Label drift: 'wrong' is 24.6 % of 'error' (usually 10.2 %)"),
        (
            "score",
            "14:20",
            "Prediction drift: mean of 'score' 0.284 -> 0.449 without what is beyond "
            "0.0022 to 0.923",
        ),
        ("segment", "14:20", "Data drift: 8.89 % of 'delta' is 1.92 to 3.9 (usually 3.13 %)"),
        ("slow", "14:24", "Data drift: mean of 'delta' 0.0099 -> 0.31"),
    ],
)
def test_golden(name: str, since: str, golden: str, summaries: dict[str, list[str]]) -> None:
    kind = golden.partition(":")[0]  # actuals that moved by themselves are concept drift, too
    first = breath(next(summary for summary in summaries[name] if kind in summary))
    assert first == f"fraud v3: {golden} since 1970-01-12 {since} UTC."


def test_every_summary_is_one_breath(summaries: dict[str, list[str]]) -> None:
    lengths = [len(breath(summary)) for said in summaries.values() for summary in said]
    assert max(lengths) <= LONGEST
    assert median(lengths) <= 135
    for said in summaries.values():
        for summary in said:
            assert "e-0" not in summary
            assert "e+0" not in summary


@pytest.fixture(scope="module")
def of_all_kinds() -> list[AlertEvent]:
    return all_kinds.alerts()


@pytest.mark.parametrize(
    "golden",
    [
        "Data quality problem: 8.33 % of 'income' is missing (usually 0 %) since 2026-06-02 10:00",
        "Performance loss: accuracy 41.7 % (usually 72.9 %) since 2026-06-04 11:00",
        "Performance loss: accuracy 25.3 % (limit 70 %), chance of this by luck once in more than "
        "1,000 years; accuracy 25.7 % (usually 72.9 %) since 2026-06-04 11:00",
        "Concept drift: 'yes' came in 41.3 % of 46 events with score from 0.639 on (usually "
        "82.5 %) since 2026-06-04 11:00",
        "Concept drift: 'yes' came in 26.7 % of 75 events with score from 0.751 on (usually "
        "90 %) in sex=F, age_band=18-39 since 2026-06-05 00:00",
        "Label drift: 'no' is 57.1 % of 'repaid' (usually 45.1 %) since 2026-06-04 12:00",
        "Unequal outcomes: equal opportunity differs by 53.4 points between sex=F, age_band=18-39 "
        "(31 %) and sex=M, age_band=18-39 (84.5 %), usually 0.4 since 2026-06-08 02:00",
        "Prediction drift: 90 % of 'score' within 0.0992 to 0.985 -> 0.0488 to 0.543 in sex=F and "
        "4 more segments, also 'label' since 2026-06-08 00:00",
    ],
)
def test_golden_of_all_kinds(golden: str, of_all_kinds: list[AlertEvent]) -> None:
    said = [breath(alert.data.annotations.summary) for alert in of_all_kinds]
    assert f"credit-risk v2026-05: {golden} UTC." in said


def test_every_kind_is_there(of_all_kinds: list[AlertEvent]) -> None:
    assert {alert.data.labels.kind for alert in of_all_kinds} == set(KINDS) - {"system"}
