"""However many signals drift together, a model tells its people once."""

from __future__ import annotations

import msgspec
import numpy as np

from detectors import fit_reference
from stream.contracts.alert_event import decode_alert
from stream.plans.plan import Plan, PlanBook
from tests.stream.harness import START_S, run_stages

SIGNALS = 500
NAMES = [f"f{i:03}" for i in range(SIGNALS)]


def test_five_hundred_drifting_signals_are_one_alert() -> None:
    rng = np.random.default_rng(4)
    reference = fit_reference({name: rng.normal(size=400) for name in NAMES}, model="m")
    plans = PlanBook()
    plans.add(
        Plan(
            model="m", reference=reference, pane_ms=60_000, window_events=300, window_min_events=100
        )
    )
    values = rng.normal(size=(900, SIGNALS)).round(3)
    values[300:] += 1.5
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "features": dict(zip(NAMES, row, strict=True)),
            }
        )
        for i, row in enumerate(values.tolist())
    ]
    alerts, monitor = run_stages(plans, events, partitions=2, seed=1)
    firing = [alert["data"] for alert in alerts if alert["data"]["status"] == "firing"]
    assert len({data["episode"] for data in firing}) == 1
    assert len(firing) <= 3  # it opens, and says once which joined
    first, last = firing[0], firing[-1]
    assert first["labels"]["kind"] == "data_drift"
    assert last["severity"] == "critical"
    assert len(last["signals"]) == 20
    assert "more signals" in last["annotations"]["summary"]
    assert all(len(msgspec.json.encode(alert)) < 50_000 for alert in alerts)
    assert monitor.subjects
    for alert in alerts:
        alert["data"]["offsets"] = {}
        decode_alert(msgspec.json.encode(alert))
