"""A worker whose page has something of all there is, at a set time: for pictures and for tests.

Two days of three models. Of fraud a new version is rolled out beside the old one, and gets wrong
what it counts; new countries come to both, and some of account_age goes missing. A part of that is
acknowledged, and churn is silenced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from detectors import fit_reference
from stream.alerts.silences import Silence
from stream.contracts.acks import make_ack
from stream.contracts.alert_event import AlertEvent
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.report.model import Report
from tests.stream.harness import replayed
from tests.stream.metrics.test_metrics import FileState

__all__ = ["END_S", "SECONDS", "events", "plans", "report_of", "scene"]

START_S = 1_772_323_200  # 2026-03-01 00:00 UTC
SECONDS = 2 * 86_400
END_S = START_S + SECONDS
CHANGE_S = START_S + 30 * 3_600 + 1_200
VERSIONS = {"fraud": ("3", "4"), "churn": ("3",), "eta": ("12",)}
EVERY_S = 24
Columns = dict[str, list[Any]]


def rows(rng: np.random.Generator, n: int) -> Columns:
    """What a reference is made from, and events before anything changes."""
    return {
        "amount": rng.lognormal(3.0, 1.0, n).round(2).tolist(),
        "country": rng.choice(
            ["DE", "FR", "GB", "ES", "NL"], n, p=[0.5, 0.2, 0.15, 0.1, 0.05]
        ).tolist(),
        "items": rng.poisson(3, n).tolist(),
        "account_age": rng.gamma(2.0, 200.0, n).round(0).tolist(),
        "hour": rng.integers(0, 24, n).tolist(),
        "bytes": rng.lognormal(8.0, 0.5, n).round(0).tolist(),
        "score": rng.beta(2, 8, n).round(4).tolist(),
    }


def plans() -> list[Plan]:
    made = []
    for at, model in enumerate(VERSIONS):
        reference = fit_reference(
            rows(np.random.default_rng(at), 12_000),
            model=model,
            version="",
            roles={"score": "score"},
            times_ms=None,
            segments=(),
        )
        made.append(
            Plan(
                model=model,
                reference=reference,
                segments=("region",),
                pane_ms=60_000,
                window_events=500,
                window_min_events=200,
                false_alarms_per_week=1.0,
            )
        )
    return made


def events(only: str = "") -> Iterator[bytes]:
    """All events in their order, or those of one model's last version."""
    rng = np.random.default_rng(7)
    n = SECONDS // EVERY_S
    columns = {(model, v): rows(rng, n) for model, all_ in VERSIONS.items() for v in all_}
    regions = rng.choice(["eu", "us", "apac"], n, p=[0.5, 0.3, 0.2]).tolist()
    luck = rng.random((n, 3))
    for i in range(n):
        time = START_S + EVERY_S * i
        for (model, version), of in columns.items():
            if only and (model, version) != (only, VERSIONS[only][-1]):
                continue
            event = {name: values[i] for name, values in of.items()}
            if time >= CHANGE_S:
                _change(event, model, version, regions[i], luck[i])
            score = event.pop("score")
            yield msgspec.json.encode(
                {
                    "model": {"name": model, "version": version},
                    "timestamp": time,
                    "features": event,
                    "prediction": {"score": score},
                    "segments": {"region": regions[i]},
                }
            )


def _change(event: dict[str, Any], model: str, version: str, region: str, luck: Any) -> None:
    if model == "fraud":
        if luck[0] < 0.06:
            event["country"] = ("AT", "CH")[int(luck[1] * 2)]
        if luck[1] < 0.06:
            event["account_age"] = None
        if version == "4":
            event["items"] += 2
            event["amount"] = round(event["amount"] * 1.9, 2)
            event["score"] = min(1.0, round(event["score"] * 1.4, 4))
    if model == "churn" and region == "us":
        event["amount"] = round(event["amount"] * 1.5, 2)


def report_of(model: str) -> tuple[Report, list[tuple[str, list[float]]]]:
    """The report of a replay of one model's last version, and its signals' loudness over time."""
    plan = next(each for each in plans() if each.model == model)
    recorder, replay = replayed(plan, events(model))
    (held,) = replay.monitor.subjects.values()
    assert held.detection is not None
    alphas = held.detection.budget.window_alpha, held.detection.budget.segment_alpha
    made = recorder.report(
        plan,
        "march.csv",
        SECONDS // EVERY_S,
        0,
        0,
        alphas,
        untested=replay.untested(),
        in_alarm=(held.alarms.in_alarm, held.alarms.panes),
    )
    return made, recorder.rows()


def scene() -> FileState:
    """The worker's state at `END_S`."""
    book = PlanBook()
    for plan in plans():
        book.add(plan)
    state = FileState(Replay(book))
    told: dict[str, AlertEvent] = {}
    records = (FileRecord(i, 0, value) for i, value in enumerate(events()))
    for alert in state.replay.run(records, at_end=False):
        state.count(alert)
        told[alert.data.episode] = alert
    now_ms = END_S * 1000
    firing = [alert for alert in told.values() if alert.data.status == "firing"]
    for alert in firing:
        if alert.data.labels.model == "fraud" and alert.data.labels.kind == "data_quality":
            note = "The profile service lost its cache; a fix is being rolled out."
            state.recent.hear(
                make_ack(alert, now_ms - 2_400_000, now_ms + 12_000_000, "anna", note)
            )
    reason = "Price campaign in the US"
    state.silences = (
        Silence(
            models=("churn",),
            start_ms=now_ms - 3_600_000,
            end_ms=now_ms + 36_000_000,
            max_severity="warning",
            reason=reason,
        ),
        Silence(kinds=("system",), weekly=(0, 240), reason="Backups"),
    )
    return state
