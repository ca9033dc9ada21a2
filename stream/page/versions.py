"""The versions of one model side by side, so that one sees whether the new one is like the old.

Each is compared with its own reference, as everywhere; what its values are now stands beside that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import NumericBinning, SignalReference
from detectors.change_points.estimates import bin_quantiles
from detectors.figures import figure, percent
from stream.report.loudness import Heard, Loud, loudest
from stream.report.words import minute
from stream.stage1.versions import OTHER_VERSION
from stream.stage2.detection import Detection
from stream.stage2.subject import SubjectMonitor

__all__ = ["MAX_VERSIONS", "Versions", "versions_of"]

MAX_VERSIONS: Final = 4
_MAX_SIGNALS: Final = 60


class Cell(msgspec.Struct):
    """A signal in one version. `typical` is what its values are now, in words; "" if hidden."""

    ratio: float
    test: str
    missing: float | None
    typical: str


class VersionRow(msgspec.Struct):
    """A signal in each version; None where a version has no such signal, or no test of it."""

    signal: str
    cells: list[Cell | None]


class Versions(msgspec.Struct, rename="camel"):
    """The live versions that are tested, those heard last first, and their signals."""

    model: str
    versions: list[str]
    windows: list[str]  # what each one's last full window is of, in words
    references: list[str]
    rows: list[VersionRow]
    more_versions: int
    more_signals: int


def versions_of(
    chosen: SubjectMonitor,
    monitors: Sequence[SubjectMonitor],
    heard: Mapping[tuple[str, str], Collection[Heard]],
) -> Versions | None:
    """The chosen version beside the others of its model; None if no other one is tested."""
    model = chosen.subject.model
    found = [
        (each, detection)
        for each in monitors
        if each.subject.model == model
        and each.subject.version != OTHER_VERSION
        and (detection := each.detection) is not None
    ]
    found.sort(key=lambda pair: (pair[0] is not chosen, -pair[0].frontier_ms, pair[0].subject))
    shown = found[:MAX_VERSIONS]
    if len(shown) < 2 or chosen is not shown[0][0]:
        return None
    columns = [
        _column(detection, loudest(detection, heard.get(each.subject, ())))
        for each, detection in shown
    ]
    names = {
        name: max(column[name].ratio for column in columns if name in column)
        for column in columns
        for name in column
    }
    loud = sorted(names, key=lambda name: (-names[name], name))
    return Versions(
        model=model,
        versions=[each.subject.version for each, _ in shown],
        windows=[_window(detection) for _, detection in shown],
        references=[detection.plan.reference.hash for _, detection in shown],
        rows=[
            VersionRow(name, [column.get(name) for column in columns])
            for name in loud[:_MAX_SIGNALS]
        ],
        more_versions=len(found) - len(shown),
        more_signals=max(0, len(loud) - _MAX_SIGNALS),
    )


def _window(detection: Detection) -> str:
    window = detection.windows.last.get("")
    if window is None:
        return "no full window yet"
    return f"{window.events:,} events to {minute(window.end_ms)} UTC"


def _column(detection: Detection, loud: Mapping[int, Loud]) -> dict[str, Cell]:
    return {
        detection.plan.monitored[index].name: _cell(detection, index, worst)
        for index, worst in loud.items()
    }


def _cell(detection: Detection, index: int, worst: Loud) -> Cell:
    window, plan = detection.windows.last.get(""), detection.plan
    if window is None:
        return Cell(worst.ratio, worst.test, None, "")
    signal = plan.monitored[index]
    counts = window.counts[detection.layout.slice(index)].astype(np.int64)
    missing = int(counts[signal.binning.missing]) / max(1, int(counts.sum()))
    typical = "" if plan.private else _typical(signal, counts)
    return Cell(worst.ratio, worst.test, missing, typical)


def _typical(signal: SignalReference, counts: npt.NDArray[np.int64]) -> str:
    """The median of what was counted, or the most frequent name."""
    if isinstance(signal.binning, NumericBinning):
        middle = bin_quantiles(signal, counts, (0.5,))
        if not middle:
            return "no values"
        side = {1: "over ", -1: "under "}.get(middle[0].side, "")
        return f"median {side}{figure(middle[0].value)}"
    named = counts[: len(signal.binning.categories)]
    if not named.any():
        return ""
    most = int(np.argmax(named))
    share = int(named[most]) / max(1, int(counts.sum()))
    return f"{signal.binning.categories[most]!r} {percent(share)}"
