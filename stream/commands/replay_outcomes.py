"""What `replay` tells of outcomes: how right the model was in the last full windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from stream.replay import Replay
    from stream.stage2.outcome_view import OutcomeView

__all__ = ["fairness_said", "outcome_words", "write_fairness", "write_outcomes"]


def _views(replay: Replay, *, segments: bool) -> Iterator[tuple[str, str, OutcomeView]]:
    """Version, segment and outcomes of every scope that had a full window."""
    for (_, version), detection in replay.detections():
        for segment in sorted(detection.windows.last):
            if segment and (not segments or detection.plan.private):
                continue
            if (view := detection.outcomes_now(segment)) is not None:
                yield version, segment, view


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


def write_fairness(out: BinaryIO, replay: Replay) -> None:
    """Write what was last judged by protected columns: rates of values, then disparities."""
    from msgspec.json import encode

    from stream.contracts.alert_event import format_time
    from stream.stage2.fairness_view import shown_disparities, shown_rates

    for (_, version), detection in replay.detections():
        for test, scope, now, usual in shown_rates(detection):
            line = {
                "time": format_time(test.span[1]),
                "version": version,
                "segment": scope,
                "fairness": test.rate,
                "value": now.value,
                "low": now.low,
                "high": now.high,
                "n": now.events,
                "reference": None if usual is None else usual.value,
            }
            out.write(encode(line) + b"\n")
        for test, name, disparity, low, high in shown_disparities(detection):
            # A value of one column alone, a combination of several as its part is called.
            lowest, highest = (
                scope.removeprefix(f"{test.of.column}=")
                for scope in (disparity.lowest, disparity.highest)
            )
            line = {
                "time": format_time(test.span[1]),
                "version": version,
                "segment": test.of.column,
                "fairness": name,
                "value": disparity.value,
                "low": disparity.low,
                "high": disparity.high,
                "n": low.events + high.events,
                "reference": disparity.reference,
                "lowest": lowest,
                "highest": highest,
                "found": disparity.found,
            }
            out.write(encode(line) + b"\n")


def fairness_said(replay: Replay) -> Iterator[str]:
    """Of each version and protected column how far its values were last apart, a line each."""
    from stream.stage2.fairness_view import shown_disparities
    from stream.text.fairness_words import disparity_words

    for (_, version), detection in replay.detections():
        by_column: dict[str, list[str]] = {}
        for test, name, now, low, high in shown_disparities(detection):
            words = disparity_words(name, now, (low, high))
            by_column.setdefault(test.of.column, []).append(words)
        of = f" of version {version}" if version else ""
        for column, words_of in by_column.items():
            yield f"fairness{of} by {column!r}, as last judged:"
            yield from (f"  {words}" for words in words_of)


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
