"""How loud a signal is: its worst test in units of that test's threshold, of whichever sort.

Windowed tests are those of the last full window. Of the tests that follow every pane, e-detectors
say how much evidence there is now; what each of them found counts for as long as the episode that
tells of it is open, because a detector that found something is reset.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import WindowResult
from stream.contracts.alert_event import AlertData
from stream.stage2.detection import Detection
from stream.stage2.shared_tables import SharedTables

__all__ = [
    "FOLLOWING",
    "NEAR",
    "Heard",
    "Loud",
    "evidence_ratios",
    "heard_in",
    "loudest",
    "loudest_of_all",
    "worst_row",
]

#: Tests that are made without a window; `day` of a whole day of its own.
FOLLOWING: Final = ("adwin", "edetector", "day")
_LN10: Final = math.log(10.0)
_LOUDEST: Final = 1e6
#: Processes of small bets never die, so that a quiet signal has some evidence at all times, up to
#: 0.4 of what it takes (measured): less than this says nothing beside a windowed test.
NEAR: Final = 0.7


class Heard(NamedTuple):
    """What an open episode tells of a signal of the whole stream by a test without a window."""

    signal: str
    test: str
    value: float
    threshold: float

    @property
    def ratio(self) -> float:
        """Value in units of the threshold; 0 without one."""
        return min(_LOUDEST, self.value / self.threshold) if self.threshold > 0 else 0.0


class Loud(NamedTuple):
    """The worst test of a signal; `row` of the window's result, -1 for one without a window."""

    test: str
    value: float
    threshold: float
    ratio: float
    row: int = -1


def worst_row(result: WindowResult, index: int | None = None) -> tuple[int, float] | None:
    """Row and ratio of the loudest windowed test, of one signal or any; None if none was made."""
    ratios = result.ratio
    rows = np.arange(ratios.size) if index is None else np.flatnonzero(result.signal == index)
    if not rows.size:
        return None
    row = int(rows[np.argmax(ratios[rows])])
    return row, float(ratios[row])


def heard_in(data: AlertData) -> list[Heard]:
    """What an alert tells of the whole stream by tests without a window; nothing once it ended."""
    if data.status == "resolved":
        return []
    return [
        Heard(each.name, each.test, each.value, each.threshold)
        for each in data.signals
        if each.test in FOLLOWING and not each.segment
    ]


def evidence_ratios(detection: Detection) -> npt.NDArray[np.float64]:
    """The evidence of each signal's e-detector now, over what it needs, as logarithms; or 0."""
    bank = detection.sequential.edetector
    evidence = np.where(SharedTables.of(detection.plan).edetector_on, bank.evidence, 0.0)
    return np.clip(np.nan_to_num(evidence / math.log(bank.threshold), posinf=_LOUDEST), 0.0, None)


def loudest(detection: Detection, heard: Iterable[Heard] = ()) -> dict[int, Loud]:
    """The worst test of each signal of which a test says anything, the loudest first."""
    found: dict[int, Loud] = {}

    def take(index: int, loud: Loud) -> None:
        if index not in found or loud.ratio > found[index].ratio:
            found[index] = loud

    result = detection.results.get("")
    if result is not None:
        ratios = result.ratio
        for row in np.argsort(-ratios, kind="stable").tolist():
            index = int(result.signal[row])
            if index not in found:
                value, threshold = np.nan_to_num([result.value[row], result.threshold[row]])
                found[index] = Loud(
                    result.test(row), float(value), float(threshold), float(ratios[row]), row
                )
    needed = math.log(detection.sequential.edetector.threshold)
    evidence = evidence_ratios(detection)
    for index in np.flatnonzero(evidence).tolist():
        ratio = float(evidence[index])
        if ratio < NEAR and index in found:
            continue
        take(index, Loud("edetector", ratio * needed / _LN10, needed / _LN10, ratio))
    at = {signal.name: index for index, signal in enumerate(detection.plan.monitored)}
    for each in heard:
        if each.signal in at and each.ratio > 0:
            take(at[each.signal], Loud(each.test, each.value, each.threshold, each.ratio))
    return dict(sorted(found.items(), key=lambda item: -item[1].ratio))


def loudest_of_all(detection: Detection, heard: Iterable[Heard] = ()) -> tuple[str, float] | None:
    """The loudest signal and its ratio, as `loudest` has them first; None if no test was made."""
    found: list[tuple[float, str]] = []
    monitored, result = detection.plan.monitored, detection.results.get("")
    if result is not None and (worst := worst_row(result)) is not None:
        row, ratio = worst
        found.append((ratio, monitored[int(result.signal[row])].name))
    evidence = evidence_ratios(detection)
    if evidence.size:
        index = int(np.argmax(evidence))
        ratio = float(evidence[index])
        if ratio >= NEAR or (ratio > 0 and not found):
            found.append((ratio, monitored[index].name))
    names = {signal.name for signal in monitored}
    found += [
        (each.ratio, each.signal) for each in heard if each.ratio > 0 and each.signal in names
    ]
    if not found:
        return None
    ratio, name = max(found, key=lambda pair: pair[0])
    return name, ratio
