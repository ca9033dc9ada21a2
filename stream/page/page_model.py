"""The model of the page: what is read of a worker's live objects at a request.

The work of one request is bounded: so many models, signals and histograms, the loudest first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Protocol

import msgspec

import stream
from stream.page.detail import Detail, detail_of
from stream.page.episodes import EpisodeSource, SilenceRow, heard_of, rows_of, silences_now
from stream.page.recent import EpisodeRow
from stream.page.versions import Versions, versions_of
from stream.plans.plan import LearningPlan
from stream.report.from_alerts import worst_severity
from stream.report.loudness import Heard, loudest_of_all
from stream.report.phrases import SEVERITIES_OR_NONE
from stream.stage1.stats import Stage1Stats
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.subject import SubjectMonitor

__all__ = ["PageModel", "PageSource", "monitors_of", "page_model_of"]

MAX_MODELS: Final = 100
MAX_EPISODES: Final = 60


class PageSource(EpisodeSource, Protocol):
    """What is read of a worker."""

    @property
    def stage(self) -> str:
        """Which stage it runs."""

    @property
    def alerts_unread(self) -> str:
        """Why the alerts topic is not read, in words; empty if it is."""

    @property
    def alerts_lost(self) -> int:
        """Records of it that could not be read."""

    def lag(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> records not yet handled."""

    def monitors(self) -> Iterable[PartitionMonitor]:
        """The monitors it runs now."""

    def stage1_stats(self) -> Iterable[Stage1Stats]:
        """Counters of the partitions whose events it counts."""

    def ready(self) -> tuple[bool, str]:
        """Whether it has its partitions and its state, and in words."""


class ModelRow(msgspec.Struct, rename="camel"):
    """One model of one version. Times in milliseconds, 0 where there is none."""

    model: str
    version: str
    state: str  # waiting, idle, learning, calibrating, watching
    collected: int  # events, for learning and calibrating
    severity: str
    firing: list[str]
    worst: float
    signal: str
    judged_until: int
    filling: int
    window: int
    allowed: float
    opened: int
    in_alarm: float | None  # share of the panes tested in the last four weeks


class PageModel(msgspec.Struct, rename="camel"):
    """All that the page shows.

    `counted` are the events that were taken in since the worker started, of which the page makes a
    rate, and `newest` is the largest event time of them; both 0 where this worker counts none.
    `unseen_episodes` fire by the state of the models, and no alert of them is known.
    """

    driftstream: str
    time: int
    stage: str
    ready: bool
    words: str
    lag: int
    partitions: int
    counted: int
    newest: int
    models: list[ModelRow]
    more_models: int
    episodes: list[EpisodeRow]
    more_episodes: int
    unseen_episodes: int
    silences: list[SilenceRow]
    alerts_unread: str
    alerts_lost: int
    detail: Detail | None
    versions: Versions | None


def monitors_of(status: PageSource) -> list[SubjectMonitor]:
    """The models of all monitors that run now."""
    return [each for monitor in list(status.monitors()) for each in list(monitor.subjects.values())]


def page_model_of(status: PageSource, model: str, version: str, now_ms: int) -> PageModel:
    """What to show now; details of the model asked for, or of the loudest."""
    monitors = monitors_of(status)
    episodes = rows_of(status, {each.subject: each for each in monitors}, now_ms)
    heard = heard_of(episodes)
    rows = sorted(
        ((_model_row(each, heard.get(each.subject, ())), each) for each in monitors),
        key=lambda pair: (
            -SEVERITIES_OR_NONE.index(pair[0].severity),
            -pair[0].worst,
            pair[1].subject,
        ),
    )
    chosen = [each for row, each in rows if (row.model, row.version) == (model, version)]
    chosen = chosen or [each for row, each in rows if row.model == model]
    chosen = chosen or [each for _, each in rows]
    ready, words = status.ready()
    lag = status.lag()
    stats = list(status.stage1_stats())
    return PageModel(
        driftstream=stream.__version__,
        time=now_ms,
        stage=status.stage,
        ready=ready,
        words=words,
        lag=sum(lag.values()),
        partitions=len(lag),
        counted=sum(sum(list(each.events.values())) for each in stats),
        newest=max(0, *(each.max_time_ms for each in stats), 0),
        models=[row for row, _ in rows[:MAX_MODELS]],
        more_models=max(0, len(rows) - MAX_MODELS),
        episodes=episodes[:MAX_EPISODES],
        more_episodes=max(0, len(episodes) - MAX_EPISODES),
        unseen_episodes=_unseen(monitors, episodes),
        silences=silences_now(status.silences, now_ms),
        alerts_unread=status.alerts_unread,
        alerts_lost=status.alerts_lost,
        detail=detail_of(chosen[0], heard.get(chosen[0].subject, ())) if chosen else None,
        versions=versions_of(chosen[0], monitors, heard) if chosen else None,
    )


def _unseen(monitors: Iterable[SubjectMonitor], episodes: Iterable[EpisodeRow]) -> int:
    known = {(row.model, row.version, row.kind) for row in episodes if not row.ends}
    return sum(
        (*each.subject, kind) not in known for each in monitors for kind in each.episodes.active
    )


def _model_row(monitor: SubjectMonitor, heard: Collection[Heard]) -> ModelRow:
    model, version = monitor.subject
    active = monitor.episodes.active
    detection = monitor.detection
    row = ModelRow(
        model=model,
        version=version,
        state=_stage_of(monitor),
        collected=monitor.phase.warmup.events if monitor.phase and monitor.phase.warmup else 0,
        severity=worst_severity(active.values()),
        firing=sorted(active),
        worst=0.0,
        signal="",
        judged_until=max(0, monitor.frontier_ms),
        filling=0,
        window=0,
        allowed=0.0,
        opened=monitor.opened_this_week,
        in_alarm=monitor.alarms.ratio,
    )
    if detection is None:
        return row
    filling = detection.windows.filling.get("")
    row.filling = filling.events if filling is not None else 0
    row.window = 0 if detection.plan.cycle_ms else detection.budget.window_events
    row.allowed = detection.plan.false_alarms_per_week
    if (worst := loudest_of_all(detection, heard)) is not None:
        row.signal, row.worst = worst
    return row


def _stage_of(monitor: SubjectMonitor) -> str:
    """What is done with a model's events now; what is idle has sent none for a while."""
    if monitor.is_idle:
        return "idle"
    if monitor.phase is None:
        return "waiting"
    if monitor.phase.detection is not None:
        return "watching"
    return "learning" if isinstance(monitor.phase.plan, LearningPlan) else "calibrating"
