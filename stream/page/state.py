"""What the page shows of a worker: read from its live objects when somebody looks.

The work for one look is bounded: so many models, signals and histograms, the loudest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

import stream
from detectors import WindowResult, describe
from stream.monitoring.monitor import PartitionMonitor
from stream.monitoring.subject import SubjectMonitor
from stream.monitoring.untested import untested_now
from stream.monitoring.watch import Watch
from stream.monitoring.windows import Closed
from stream.page.recent import EpisodeRow, RecentEpisodes
from stream.plans.plan import LearningPlan

__all__ = ["PageView", "State", "state_of"]

MOST_MODELS: Final = 100
MOST_SIGNALS: Final = 60
MOST_HISTOGRAMS: Final = 9
MOST_SEGMENTS: Final = 20
MOST_EPISODES: Final = 60
_SEVERITIES: Final = ("", "info", "warning", "critical")


class PageView(Protocol):
    """What is read of a worker."""

    @property
    def stage(self) -> str:
        """Which stage it runs."""

    @property
    def recent(self) -> RecentEpisodes:
        """Episodes it told of."""

    def lag(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> records not yet handled."""

    def monitors(self) -> Iterable[PartitionMonitor]:
        """The monitors it runs now."""

    def ready(self) -> tuple[bool, str]:
        """Whether it has its partitions and its state, and in words."""


class Bars(msgspec.Struct):
    """Shares in coarse bins; names and edges are left out for a private model."""

    reference: tuple[float, ...]
    window: tuple[float, ...]
    edges: tuple[float, ...]
    labels: tuple[str, ...]


class SignalRow(msgspec.Struct, rename="camel", omit_defaults=True):
    """A signal in the last full window; `ratio` is its worst test over that test's threshold."""

    name: str
    role: str
    ratio: float
    test: str
    value: float
    threshold: float
    missing: float
    missing_before: float
    change: str = ""
    bars: Bars | None = None


class SegmentRow(msgspec.Struct):
    """The worst test of a segment's last full window."""

    segment: str
    signal: str
    test: str
    ratio: float
    events: int


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


class Detail(msgspec.Struct, rename="camel"):
    """The signals of one model in its last full window; `idle` if no events came for a while."""

    model: str
    version: str
    starts: int
    ends: int
    events: int
    reference: str
    plan: str
    signals: list[SignalRow]
    more_signals: int
    segments: list[SegmentRow]
    private: bool
    idle: bool
    untested: list[str]


class State(msgspec.Struct, rename="camel"):
    """All that the page shows."""

    driftstream: str
    time: int
    stage: str
    ready: bool
    words: str
    lag: int
    partitions: int
    models: list[ModelRow]
    more_models: int
    episodes: list[EpisodeRow]
    detail: Detail | None


def state_of(view: PageView, model: str, version: str, now_ms: int) -> State:
    """What to show now; details of the model asked for, or of the loudest."""
    held = [each for monitor in list(view.monitors()) for each in list(monitor.subjects.values())]
    rows = sorted(
        ((_model_row(each), each) for each in held),
        key=lambda pair: (-_SEVERITIES.index(pair[0].severity), -pair[0].worst, pair[1].subject),
    )
    chosen = [each for row, each in rows if (row.model, row.version) == (model, version)]
    chosen = chosen or [each for row, each in rows if row.model == model]
    chosen = chosen or [each for _, each in rows]
    ready, words = view.ready()
    lag = view.lag()
    return State(
        driftstream=stream.__version__,
        time=now_ms,
        stage=view.stage,
        ready=ready,
        words=words,
        lag=sum(lag.values()),
        partitions=len(lag),
        models=[row for row, _ in rows[:MOST_MODELS]],
        more_models=max(0, len(rows) - MOST_MODELS),
        episodes=view.recent.rows()[:MOST_EPISODES],
        detail=_detail(chosen[0]) if chosen else None,
    )


def _model_row(held: SubjectMonitor) -> ModelRow:
    model, version = held.subject
    active = held.episodes.active
    watch = held.watch
    row = ModelRow(
        model=model,
        version=version,
        state=_stage_of(held),
        collected=held.course.study.events if held.course and held.course.study else 0,
        severity=max(active.values(), key=_SEVERITIES.index, default=""),
        firing=sorted(active),
        worst=0.0,
        signal="",
        judged_until=max(0, held.frontier_ms),
        filling=0,
        window=0,
        allowed=0.0,
        opened=held.opened_this_week,
        in_alarm=held.alarms.ratio,
    )
    if watch is None:
        return row
    filling = watch.windows.filling.get("")
    row.filling = filling.events if filling is not None else 0
    row.window = 0 if watch.plan.cycle_ms else watch.budget.window_events
    row.allowed = watch.plan.false_alarms_per_week
    result = watch.results.get("")
    if result is not None and result.value.size:
        ratios = _ratios(result)
        worst = int(np.argmax(ratios))
        row.worst = float(ratios[worst])
        row.signal = watch.plan.monitored[int(result.signal[worst])].name
    return row


def _stage_of(held: SubjectMonitor) -> str:
    """What is done with a model's events now; what is idle has sent none for a while."""
    if held.is_idle:
        return "idle"
    if held.course is None:
        return "waiting"
    if held.course.watch is not None:
        return "watching"
    return "learning" if isinstance(held.course.plan, LearningPlan) else "calibrating"


def _ratios(result: WindowResult) -> npt.NDArray[np.float64]:
    threshold = result.threshold
    ratios: npt.NDArray[np.float64] = np.where(
        threshold > 0, result.value / np.maximum(threshold, 1e-300), 0.0
    )
    return np.nan_to_num(ratios, posinf=1e6)


def _detail(held: SubjectMonitor) -> Detail | None:
    watch = held.watch
    if watch is None:
        return None
    plan = watch.plan
    window = watch.windows.last.get("")
    result = watch.results.get("")
    signals = list(_signals(watch, window, result)) if window and result is not None else []
    return Detail(
        model=held.subject.model,
        version=held.subject.version,
        starts=window.start_ms if window else 0,
        ends=window.end_ms if window else 0,
        events=window.events if window else 0,
        reference=plan.reference.hash,
        plan=plan.hash,
        signals=signals,
        more_signals=max(0, len(plan.monitored) - len(signals)) if window else 0,
        segments=_segments(watch),
        private=plan.private,
        idle=held.is_idle,
        untested=[each.words for each in untested_now(held.course)] if held.course else [],
    )


def _signals(watch: Watch, window: Closed, result: WindowResult) -> Iterator[SignalRow]:
    """The loudest signals, the first few with their histogram."""
    plan = watch.plan
    ratios = _ratios(result)
    worst: dict[int, int] = {}
    for row in np.argsort(-ratios, kind="stable").tolist():
        worst.setdefault(int(result.signal[row]), row)
        if len(worst) >= MOST_SIGNALS:
            break
    for at, (index, row) in enumerate(worst.items()):
        signal = plan.monitored[index]
        counts = window.counts[watch.layout.slice(index)].astype(np.int64)
        missing = signal.binning.missing
        made = SignalRow(
            name=signal.name,
            role=signal.role,
            ratio=float(ratios[row]),
            test=result.test(row),
            value=float(np.nan_to_num(result.value[row])),
            threshold=float(np.nan_to_num(result.threshold[row])),
            missing=int(counts[missing]) / max(1, int(counts.sum())),
            missing_before=int(signal.counts[missing]) / max(1, signal.events),
        )
        if at < MOST_HISTOGRAMS:
            look = int(result.look[row])
            change = describe(signal, counts, public=not plan.private, look=look)
            hidden = plan.private
            made.change = "" if hidden else change.text
            made.bars = Bars(
                change.reference, change.window,
                () if hidden else change.edges, () if hidden else change.labels,
            )  # fmt: skip
        yield made


def _segments(watch: Watch) -> list[SegmentRow]:
    """The loudest segments; none of a private model, whose values are not told."""
    if watch.plan.private:
        return []
    rows = []
    for segment, result in list(watch.results.items()):
        window = watch.windows.last.get(segment)
        if not segment or window is None or not result.value.size:
            continue
        ratios = _ratios(result)
        row = int(np.argmax(ratios))
        name = watch.plan.monitored[int(result.signal[row])].name
        rows.append(SegmentRow(segment, name, result.test(row), float(ratios[row]), window.events))
    return sorted(rows, key=lambda row: (-row.ratio, row.segment))[:MOST_SEGMENTS]
