"""A model that falls silent on a real broker is told of, and its return too."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.client.alert_log import read_alerts
from tests.integration.worker_kit import installer, make_events

pytestmark = pytest.mark.broker


def test_silence_is_told_and_ends_with_the_next_events(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    settings = {"snapshot_interval": "500ms", "idle_after": "500ms"}
    events = make_events(12_000, None)
    with installer(kafka, topic_prefix, tmp_path, settings) as make:
        site = make({"no_data_after_ms": 6_000, "false_alarms_per_week": 0.001})

        def told() -> list[str]:
            """What was said of silence; late events may be in the same episode."""
            said = []
            for alert in read_alerts(kafka, site.topics["alerts"]):
                said += ["silent"] * ("no_data" in alert.data.joined)
                said += ["back"] * ("no_data" in alert.data.left)
            return said

        worker = site.start()
        site.wait_ready(worker)
        site.produce(events[:6_000], close=False)
        site.wait_for(lambda: told() == ["silent"])
        # Who takes over knows of it: the silence is not told again, and its end is.
        worker.kill()
        worker = site.start()
        site.wait_ready(worker)
        site.produce(events[6_000:], close=False)
        site.wait_for(lambda: "back" in told())
        assert told()[:2] == ["silent", "back"]
        assert worker.terminate() == 0
