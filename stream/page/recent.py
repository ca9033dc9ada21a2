"""The episodes a worker has lately told of, for its page. What it keeps is bounded.

A worker that was restarted knows of episodes that were opened before only what it hears next.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from stream.alerts.event import AlertEvent, parse_time
from stream.page.runbooks import runbook_address
from stream.report.phrases import SEVERITIES

__all__ = ["EpisodeRow", "RecentEpisodes"]

_MOST: Final = 200
_MOST_STEPS: Final = 40
_NAMED: Final = 5
_MOST_NAMES: Final = 100


class EpisodeRow(msgspec.Struct, rename="camel"):
    """An episode as the page shows it; times in milliseconds, `ends` 0 while it fires.

    `from_start` names signals that differed as soon as the reference was compared to; `course` is
    (since, severity), a pair for each change of it; `runbook` an address, of the page's own where
    none is configured. `names` are the signals of all its revisions, without segments; `related`
    (id, kind) of episodes of the model that were open beside it.
    """

    id: str
    model: str
    version: str
    kind: str
    status: str
    severity: str
    revision: int
    starts: int
    ends: int
    summary: str
    evidence: str
    signals: list[str]
    from_start: list[str]
    course: list[tuple[int, str]]
    runbook: str
    names: list[str]
    related: list[tuple[str, str]]


class RecentEpisodes:
    """The last episodes, newest revision of each. Written by one thread, read by another."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, EpisodeRow] = OrderedDict()

    def note(self, alert: AlertEvent) -> None:
        """Take in what was published."""
        data = alert.data
        held = self._rows.get(data.episode)
        if held is not None and held.revision >= data.revision:
            return
        starts = parse_time(data.starts_at)
        course: list[tuple[int, str]] = [(starts, data.severity)]
        names = [s.name for s in data.signals]
        related = [(r.episode, str(r.kind)) for r in data.related]
        if held is not None:
            course = list(held.course)
            names, related = held.names + names, held.related + related
        if course[-1][1] != data.severity:
            course.append((parse_time(alert.time), data.severity))
        resolved = data.status == "resolved"
        self._rows[data.episode] = EpisodeRow(
            id=data.episode,
            model=data.labels.model,
            version=data.labels.model_version,
            kind=data.labels.kind,
            status=data.status,
            severity=data.severity,
            revision=data.revision,
            starts=starts,
            ends=parse_time(data.ends_at) if resolved else 0,
            summary=data.annotations.summary,
            evidence=data.annotations.evidence,
            signals=[
                f"{s.name} ({s.segment})" if s.segment else s.name for s in data.signals[:_NAMED]
            ],
            from_start=[s.name for s in data.signals if s.from_start][:_NAMED],
            course=course[:1] + course[1:][-_MOST_STEPS:],
            runbook=runbook_address(data.labels.kind, data.annotations.runbook_url),
            names=list(dict.fromkeys(names))[:_MOST_NAMES],
            related=list(dict.fromkeys(related))[:_MOST_NAMES],
        )
        self._rows.move_to_end(data.episode)
        while len(self._rows) > _MOST:
            self._rows.popitem(last=False)

    def telling(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """(model, version, kind) of what fires -> its episode, and its newest summary."""
        return {
            (row.model, row.version, row.kind): (row.id, row.summary)
            for row in list(self._rows.values())
            if not row.ends
        }

    def rows(self) -> list[EpisodeRow]:
        """What fires, the worst first, then what ended, the newest first."""
        return sorted(
            self._rows.values(),
            key=lambda row: (row.ends, 0) if row.ends else (2**62, SEVERITIES.index(row.severity)),
            reverse=True,
        )
