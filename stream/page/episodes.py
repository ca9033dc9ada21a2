"""The episodes that a page shows: those of its models, with what is known of who is told of them.

Alerts and acknowledgements come from the alerts topic, also of other workers and of before this one
began; silences from the config. Neither changes what is found: they say whom `notify` tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from stream.alerts.silences import Silence
from stream.page.recent import EpisodeRow, QuietRow, RecentEpisodes
from stream.report.loudness import Heard
from stream.stage2.subject import SubjectMonitor

__all__ = ["EpisodeSource", "SilenceRow", "heard_of", "rows_of", "silences_now"]

Subjects = Mapping[tuple[str, str], SubjectMonitor]


class SilenceRow(msgspec.Struct, rename="camel"):
    """A silence that holds now: whom it is over, until when, and why."""

    models: Sequence[str]
    kinds: Sequence[str]
    max_severity: str
    until: int
    reason: str
    weekly: bool


class EpisodeSource(Protocol):
    """What is read of a worker."""

    @property
    def recent(self) -> RecentEpisodes:
        """Episodes that are known."""

    @property
    def silences(self) -> Sequence[Silence]:
        """Those of the config."""


def silences_now(silences: Iterable[Silence], now_ms: int) -> list[SilenceRow]:
    """Those that hold now."""
    return [
        SilenceRow(
            each.models, each.kinds, each.max_severity, until, each.reason, each.weekly is not None
        )
        for each in silences
        if (until := each.ends_ms(now_ms)) is not None
    ]


def rows_of(status: EpisodeSource, subjects: Subjects, now_ms: int) -> list[EpisodeRow]:
    """Those this worker told of, and what the alerts topic has of the models it holds."""
    rows = [row for row in status.recent.rows() if row.told or _is_of(subjects, row)]
    return [_with_silence(row, status.silences, now_ms) for row in _without_stale(rows)]


def _is_of(subjects: Subjects, row: EpisodeRow) -> bool:
    """Whether it is of a model here, which has it open still if the topic says so."""
    monitor = subjects.get((row.model, row.version))
    return monitor is not None and (bool(row.ends) or row.kind in monitor.episodes.active)


def _without_stale(rows: Sequence[EpisodeRow]) -> list[EpisodeRow]:
    """Without what fires by the topic though a later one of its kind does: its end was lost."""
    newest: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.model, row.version, row.kind)
        newest[key] = max(newest.get(key, 0), row.starts)
    return [
        row
        for row in rows
        if row.ends or row.told or row.starts == newest[row.model, row.version, row.kind]
    ]


def _with_silence(row: EpisodeRow, silences: Sequence[Silence], now_ms: int) -> EpisodeRow:
    if row.ends:
        return row
    over = [
        QuietRow(until, each.reason)
        for each in silences
        if each.covers(row.model, row.kind, row.severity)
        and (until := each.ends_ms(now_ms)) is not None
    ]
    longest = max(over, key=lambda quiet: quiet.until, default=None)
    return msgspec.structs.replace(row, silence=longest) if longest else row


def heard_of(rows: Iterable[EpisodeRow]) -> dict[tuple[str, str], Collection[Heard]]:
    """(model, version) -> what its open episodes tell by tests without a window."""
    heard: dict[tuple[str, str], list[Heard]] = {}
    for row in rows:
        if not row.ends and row.heard:
            heard.setdefault((row.model, row.version), []).extend(row.heard)
    return {**heard}
