"""What a monitor's windows say of each signal, as plain rows for the metrics page.

All of it is read when Prometheus asks: nothing here is kept up to date in between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import NumericBinning, SignalReference
from detectors.change_points.estimates import QUANTILES, bin_mean, bin_quantiles
from detectors.outcomes.fairness import Disparity
from detectors.outcomes.metrics import Metric
from stream.metrics.bin_shares import leading_signals, shares
from stream.plans.plan import Subject
from stream.stage2.detection import Detection
from stream.stage2.fairness_view import shown_disparities, shown_rates
from stream.stage2.outcome_view import OutcomeView
from stream.stage2.subject import SubjectMonitor
from stream.stage2.untested import untested_now
from stream.stage2.windows import Closed

__all__ = ["OTHER", "QUANTILES", "Gauge", "bounded", "signal_gauges"]

OTHER: Final = "__other__"
#: Stands for all signals of a model.
ALL: Final = "__all__"
_FIRST_TO_GO: Final = -1.0
_KEPT: Final = 1.0
#: No metric of outcomes stands for others; bins go before them.
_LEAVES_NOTHING: Final = -0.5


class Gauge(NamedTuple):
    """The value of one family for one signal, or for a whole window where `signal` is "".

    `extra` is its test, its quantile, which window, a reason or a metric, or "".

    `weight` says how much a signal deserves a series of its own when there are too many; a negative
    one that it goes before its like, and leaves nothing behind.
    """

    family: str
    model: str
    version: str
    segment: str
    signal: str
    extra: str
    value: float
    weight: float


def signal_gauges(subjects: Iterable[SubjectMonitor]) -> Iterator[Gauge]:
    """Sizes of all windows, and every gauge of every signal in the last full one of each scope.

    A private model has neither segments nor means and quantiles: they are values.
    """
    for monitor in subjects:
        yield from _untested(monitor)
        detection = monitor.detection
        if detection is None:
            continue
        hidden = detection.plan.private
        for segment, filling in list(detection.windows.filling.items()):
            if segment and hidden:
                continue
            events = float(filling.events)
            yield Gauge("window_events", *monitor.subject, segment, "", "filling", events, 0.0)
        for segment, window in list(detection.windows.last.items()):
            if segment and hidden:
                continue
            events = float(window.events)
            yield Gauge("window_events", *monitor.subject, segment, "", "full", events, 0.0)
            ended = window.end_ms / 1000
            yield Gauge(
                "window_end_timestamp_seconds", *monitor.subject, segment, "", "", ended, 0.0
            )
            yield from _of_window(monitor, detection, segment, window)
            if (view := detection.outcomes_now(segment)) is not None:
                yield from _of_outcomes(monitor.subject, view, segment)
            if not segment:
                yield from _of_bins(monitor, detection, window)
        yield from _of_fairness(monitor.subject, detection)


def _untested(monitor: SubjectMonitor) -> Iterator[Gauge]:
    """What is not tested, a row for each signal and reason."""
    if monitor.phase is None:
        return
    rows: dict[tuple[str, str], int] = {}
    for each in untested_now(monitor.phase):
        for signal in each.signals or (ALL,):
            rows[signal, each.reason] = each.amount if each.is_gap else 0
    for (signal, reason), amount in rows.items():
        yield Gauge("untested", *monitor.subject, "", signal, reason, float(amount), _KEPT)


def _of_window(
    monitor: SubjectMonitor, detection: Detection, segment: str, window: Closed
) -> Iterator[Gauge]:
    model, version = monitor.subject
    result = detection.results.get(segment)
    if result is not None:
        for row in range(len(result.tests)):
            signal = detection.plan.monitored[int(result.signal[row])].name
            value, threshold = float(result.value[row]), float(result.threshold[row])
            weight, test = float(result.ratio[row]), result.tests[row]
            yield Gauge("drift_score", model, version, segment, signal, test, value, weight)
            yield Gauge("drift_threshold", model, version, segment, signal, test, threshold, weight)
    for index, signal_reference in enumerate(detection.plan.monitored):
        counts = window.counts[detection.layout.slice(index)]
        for family, extra, value in _moments(signal_reference, counts):
            if detection.plan.private and family != "signal_missing_ratio":
                continue
            yield Gauge(family, model, version, segment, signal_reference.name, extra, value, 0.0)


def _of_outcomes(subject: Subject, view: OutcomeView, segment: str) -> Iterator[Gauge]:
    """How right the model was; those of single classes of the whole stream only."""
    known = float(view.known)
    yield Gauge("outcome_events", *subject, segment, "", "", known, _LEAVES_NOTHING)
    found = {"outcome": view.now, "outcome_estimated": view.estimated}
    if not segment:
        found["outcome_reference"] = view.reference
    for family, metrics in found.items():
        for name, metric in metrics.items():
            if segment and "[" in name:
                continue
            labels = (*subject, segment, "", name)
            yield Gauge(family, *labels, metric.value, _LEAVES_NOTHING)
            if family == "outcome_reference" or math.isnan(metric.low):
                continue
            yield Gauge(f"{family}_low", *labels, metric.low, _LEAVES_NOTHING)
            yield Gauge(f"{family}_high", *labels, metric.high, _LEAVES_NOTHING)


def _of_fairness(subject: Subject, detection: Detection) -> Iterator[Gauge]:
    """Rates of each value of protected columns, and disparities of each column."""
    for test, scope, now, usual in shown_rates(detection):
        labels = (*subject, scope, "", test.rate)
        yield from _with_interval("fairness", labels, now, None if usual is None else usual.value)
    for test, name, disparity, _, _ in shown_disparities(detection):
        labels = (*subject, test.of.column, "", name)
        yield from _with_interval("fairness_disparity", labels, disparity, disparity.reference)


def _with_interval(
    family: str,
    labels: tuple[str, str, str, str, str],
    now: Metric | Disparity,
    usual: float | None,
) -> Iterator[Gauge]:
    yield Gauge(family, *labels, now.value, _LEAVES_NOTHING)
    yield Gauge(f"{family}_low", *labels, now.low, _LEAVES_NOTHING)
    yield Gauge(f"{family}_high", *labels, now.high, _LEAVES_NOTHING)
    if usual is not None:
        yield Gauge(f"{family}_reference", *labels, usual, _LEAVES_NOTHING)


def _of_bins(monitor: SubjectMonitor, detection: Detection, window: Closed) -> Iterator[Gauge]:
    """Reference and window of the leading signals, in bins that do not change with the window."""
    result = detection.results.get("")
    if result is None:
        return
    for index in leading_signals(result):
        signal = detection.plan.monitored[index]
        counts = window.counts[detection.layout.slice(index)]
        for name, before, now in shares(signal, counts, detection.plan.private):
            labels = (*monitor.subject, "", signal.name, name)
            yield Gauge("signal_bin_reference_share", *labels, before, _FIRST_TO_GO)
            yield Gauge("signal_bin_share", *labels, now, _FIRST_TO_GO)


def _moments(
    signal: SignalReference, counts: npt.NDArray[np.int64]
) -> Iterator[tuple[str, str, float]]:
    binning = signal.binning
    total = int(counts.sum())
    if not total:
        return
    yield "signal_missing_ratio", "", int(counts[binning.missing]) / total
    if not isinstance(binning, NumericBinning):
        return
    counts = counts.astype(np.int64)
    mean = bin_mean(signal, counts)
    if mean is not None:
        yield "signal_mean", "", mean
    for q, quantile in zip(QUANTILES, bin_quantiles(signal, counts), strict=False):
        yield "signal_quantile", f"{q:g}", quantile.value


def bounded(gauges: Iterable[Gauge], limit: int) -> tuple[list[Gauge], int]:
    """At most about `limit` gauges, and how many were folded into `__other__`.

    The whole stream comes before segments, drifting signals before quiet ones, then bins. Of those
    that are left out the most drifted stands for all of its (family, model, version, test): an
    alarm in them stays visible.
    """
    every = list(gauges)
    if len(every) <= limit:
        return every, 0
    every.sort(key=lambda g: (g.segment != "", -g.weight, g[:6]))
    kept, rest = every[:limit], every[limit:]
    worst: dict[tuple[str, str, str, str], Gauge] = {}
    for gauge in rest:
        if gauge.weight < 0:
            continue
        key = (gauge.family, gauge.model, gauge.version, gauge.extra)
        known = worst.get(key)
        if known is None or (gauge.weight, gauge.value) > (known.weight, known.value):
            worst[key] = gauge
    kept += [gauge._replace(segment=OTHER, signal=OTHER) for _, gauge in sorted(worst.items())]
    return kept, len(rest)
