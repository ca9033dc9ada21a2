"""Workers on a real broker learn a model's reference as one process does, through a kill too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.devbroker.broker import free_port
from stream.plans.plan import Learn, LearningPlan, Subject
from tests.integration.test_cli_kafka import must, page, wait_for, worker
from tests.integration.worker_kit import Installation, make_events
from tests.stream.commands.test_cli_files import COLUMNS, write_rows

pytestmark = pytest.mark.broker


@pytest.fixture
def site(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Installation]:
    plan = LearningPlan(
        model="fraud",
        learn=Learn(warm_up=20_000),
        topic=topic_prefix + "events",
        pane_ms=5_000,
        lateness_ms=2_000,
        window_events=2_000,
    )
    made = Installation(
        kafka,
        topic_prefix,
        tmp_path,
        plan,
        worker={"idle_after": "10m", "snapshot_interval": "500ms"},
    )
    yield made
    made.stop_all()


def test_a_reference_is_learned_through_a_kill_and_drift_is_found(site: Installation) -> None:
    events = make_events(60_000, 40_000)
    expected = site.expected_alerts(events)
    assert expected, "the change must be found for the test to say anything"
    first = site.start()
    site.wait_ready(first)
    site.produce(events[:15_000], close=False)  # within what is learned from
    subject = Subject("fraud", "3")

    def collected() -> int:
        phases = [
            m.subjects[subject].phase for m in site.restored().values() if subject in m.subjects
        ]
        return sum(p.warmup.events for p in phases if p is not None and p.warmup is not None)

    site.wait_for(lambda: collected() > 5_000)
    first.kill()
    site.start()
    site.produce(events[15_000:])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    learned = [
        m.subjects[subject].detection for m in site.restored().values() if subject in m.subjects
    ]
    assert {s.name for s in learned[0].plan.reference.signals} == {
        *(f"f{i}" for i in range(6)),
        "kind",
    }


def test_the_command_line_without_training_data(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    """Topics, produce by the columns named, a worker that learns, and the plan as it is shown."""
    rows = write_rows(tmp_path / "rows.csv", 3_000, start="2026-01-01T00:00:00")
    names = "\n".join(
        f'{name} = "{topic_prefix}{name}"'
        for name in ("summaries", "plans", "alerts", "dead_letter", "state")
    )
    config = tmp_path / "driftstream.toml"
    config.write_text(
        f'[kafka]\nbootstrap_servers = "{kafka["bootstrap_servers"]}"\n'
        f'[worker]\ngroup = "{topic_prefix}group"\nmetrics_address = "127.0.0.1:{free_port()}"\n'
        f"[topics]\npartitions = 2\n{names}\n"
        f'[[models]]\nname = "fraud"\ntopic = "{topic_prefix}predictions"\n'
        'signals = "auto"\nwarm_up = 2000\n'
    )
    must("topics", "-c", config, "--create")
    with worker(config):
        wait_for("the worker", lambda: page(config, "readyz"))
        must("produce", rows, "-c", config, "--model", "fraud", *COLUMNS)

        def learned() -> bool:
            return 'driftstream_learned_timestamp_seconds{model="fraud"' in page(config, "metrics")

        wait_for("a learned reference", learned)
        shown = must("plan", "show", "fraud", "-c", config).stdout
    assert "learns from 2,000 events" in shown
    assert "all that come" in shown
    assert "auto" in must("plan", "list", "-c", config).stdout
