"""While an alert fires, what it was found in is shown, however long its model has been idle."""

from __future__ import annotations

from typing import Any

import pytest

from stream.metrics import MetricsCollector
from stream.page.detail import Detail
from stream.page.page_model import page_model_of
from stream.plans.plan import Subject
from tests.page.test_page import state_after
from tests.stream.harness import make_events, reloaded
from tests.stream.metrics.test_metrics import FileState

SUBJECT = Subject("fraud", "1")
#: What the page and a dashboard show of the evidence.
EVIDENCE = (
    "drift_score", "drift_threshold", "signal_bin_share", "signal_mean",
    "budget_false_alarms_per_week", "window_end_timestamp_seconds",
)  # fmt: skip


@pytest.fixture
def drifting() -> FileState:
    return state_after(make_events(3, 3_000, drift_at=2_400))


def shown(state: FileState) -> dict[str, dict[tuple[str, ...], float]]:
    """The values of the families of evidence."""
    found: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in EVIDENCE}
    for family in MetricsCollector(state).collect():
        if (name := family.name.removeprefix("driftstream_")) in found:
            found[name] |= {tuple(s.labels.values()): s.value for s in family.samples}
    return found


def detail(state: FileState) -> Detail | None:
    return page_model_of(state, *SUBJECT, 0).detail


def grow_idle(monitor: Any) -> None:
    for _ in range(3):
        monitor.release_idle()


def test_the_evidence_of_a_firing_alert_stays(drifting: FileState) -> None:
    monitor = drifting.replay.monitor
    before, seen = shown(drifting), detail(drifting)
    assert all(before.values())
    assert seen is not None
    assert not seen.idle
    grow_idle(monitor)
    held = monitor.subjects[SUBJECT]
    assert held.episodes.active
    assert held.is_idle
    assert shown(drifting) == before
    idle = detail(drifting)
    assert idle is not None
    assert idle.idle
    assert idle.ends == held.detection.windows.last[""].end_ms == seen.ends, "it is dated"
    assert idle.signals == seen.signals
    ended = before["window_end_timestamp_seconds"]["fraud", "1", ""]
    assert ended == seen.ends / 1000
    (row,) = page_model_of(drifting, "", "", 0).models
    assert (row.state, row.worst > 1, row.firing) == ("idle", True, sorted(held.episodes.active))


def test_it_is_there_after_a_restart_too(drifting: FileState) -> None:
    before = shown(drifting)
    for taken_while_idle in (False, True):
        if taken_while_idle:
            grow_idle(drifting.replay.monitor)
        again = reloaded(drifting.replay.monitor, drifting.replay.monitor.plans)
        drifting.replay.monitor = again
        assert shown(drifting) == before
        grow_idle(again)
        assert again.subjects[SUBJECT].is_idle
        assert shown(drifting) == before


def test_it_goes_when_the_episode_is_over(drifting: FileState) -> None:
    monitor = drifting.replay.monitor
    held = monitor.subjects[SUBJECT]
    grow_idle(monitor)
    held.episodes.resolve(held.frontier_ms, held.phase.alert_context({}))
    assert not held.episodes.active
    grow_idle(monitor)
    assert held.detection is None
    assert not any(shown(drifting).values())
    assert detail(drifting) is None


def test_a_quiet_model_is_evicted() -> None:
    quiet = state_after(make_events(3, 1_500))
    held = quiet.replay.monitor.subjects[SUBJECT]
    assert not held.episodes.active
    grow_idle(quiet.replay.monitor)
    assert held.detection is None
    assert not any(shown(quiet).values())
