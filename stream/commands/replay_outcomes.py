"""What `replay` tells of outcomes: how right the model was in the last full windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from stream.replay import Replay
    from stream.stage2.outcome_view import OutcomeView

__all__ = ["outcome_words", "write_outcomes"]


def _views(replay: Replay, *, segments: bool) -> Iterator[tuple[str, str, OutcomeView]]:
    """Version, segment and outcomes of every scope that had a full window."""
    for subject, monitor in sorted(replay.monitor.subjects.items()):
        detection = monitor.detection
        if detection is None:
            continue
        for segment in sorted(detection.windows.last):
            if segment and (not segments or detection.plan.private):
                continue
            if (view := detection.outcomes_now(segment)) is not None:
                yield subject.version, segment, view


def write_outcomes(out: BinaryIO, replay: Replay) -> None:
    """Write each metric of the last full windows, a line each; null where there is none."""
    from msgspec.json import encode

    from stream.contracts.alert_event import format_time

    for version, segment, view in _views(replay, segments=True):
        for name in dict.fromkeys([*view.now, *view.estimated]):
            now, usual, likely = (
                each.get(name) for each in (view.now, view.reference, view.estimated)
            )
            line = {
                "time": format_time(view.end_ms),
                "version": version,
                "segment": segment,
                "metric": name,
                "value": None if now is None else now.value,
                "low": None if now is None or math.isnan(now.low) else now.low,
                "high": None if now is None or math.isnan(now.high) else now.high,
                "n": 0 if now is None else now.events,
                "reference": None if usual is None else usual.value,
                "estimated": None if likely is None else likely.value,
                "estimated_low": None if likely is None else likely.low,
                "estimated_high": None if likely is None else likely.high,
            }
            out.write(encode(line) + b"\n")


def outcome_words(replay: Replay) -> Iterator[str]:
    """A line for each version: how right it was last."""
    from stream.text.counted import counted
    from stream.text.metric_words import LEADING_METRICS, metric_words, value_words

    for version, _, view in _views(replay, segments=False):
        shown = []
        for name in LEADING_METRICS[view.cells.task]:
            if (now := view.now.get(name)) is None:
                continue
            usual = view.reference.get(name)
            before = "" if usual is None else f", usually {value_words(name, usual.value)}"
            shown.append(f"{metric_words(name, now)}{before}")
        of = f" of version {version}" if version else ""
        known = f"{counted(view.known, 'truth')} in {counted(view.events, 'event')}"
        yield f"outcomes{of} in the last full window: {'; '.join([known, *shown])}"
