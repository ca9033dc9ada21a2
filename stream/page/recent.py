"""The episodes that are lately told of, for a worker's page. What it keeps is bounded.

Told by the worker itself, or heard from the alerts topic, which also has the acknowledgements.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from stream.alerts.story import related_words
from stream.contracts.acks import Ack
from stream.contracts.alert_event import AlertEvent, parse_time
from stream.contracts.moments import INFINITY
from stream.page.runbooks import runbook_address
from stream.report.loudness import Heard, heard_in
from stream.report.phrases import SEVERITIES_OR_NONE

__all__ = ["AckRow", "EpisodeRow", "QuietRow", "RecentEpisodes"]

_MAX_ROWS: Final = 400
_MAX_STEPS: Final = 40
_NAMED: Final = 5
_MAX_NAMES: Final = 100
#: Where an alert's summary goes on from what happened to what is to be done.
_ADVICE: Final = " Recommended action:"


class AckRow(msgspec.Struct):
    """Who acknowledged an episode, when, until when nobody is told of it, and the note."""

    by: str
    at: int
    until: int
    note: str


class QuietRow(msgspec.Struct):
    """Until when a silence of the config is over an episode, and why."""

    until: int
    reason: str


class EpisodeRow(msgspec.Struct, rename="camel"):
    """An episode as the page shows it; times in milliseconds, `ends` 0 while it fires.

    `from_start` names signals that differed as soon as the reference was compared to; `severities`
    has (since, severity) for each change of it; `runbook` an address, of the page's own where none
    is configured. `names` are the signals of all its revisions, without segments; `related` has
    (id, words) of episodes of the model that were open beside it: their kind, since when, and what
    their signals explain. `summary` is what is read in one
    breath, `advice` what follows. `heard` is what tests without a window found of the whole stream.
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
    advice: str
    evidence: str
    signals: list[str]
    from_start: list[str]
    severities: list[tuple[int, str]] = msgspec.field(name="course")
    runbook: str
    names: list[str]
    related: list[tuple[str, str]]
    heard: list[Heard]
    told: bool  # by this worker
    ack: AckRow | None = None
    silence: QuietRow | None = None


class RecentEpisodes:
    """The last episodes, newest revision of each. Written by one thread, read by another."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, EpisodeRow] = OrderedDict()
        self._acks: OrderedDict[str, AckRow] = OrderedDict()

    def hear(self, said: AlertEvent | Ack) -> None:
        """Take in what the alerts topic has, of whichever worker."""
        if isinstance(said, AlertEvent):
            self.note(said, told=False)
            return
        data = said.data
        known = self._acks.get(data.episode)
        made = AckRow(data.by, parse_time(said.time), said.until_ms, data.note)
        if known is not None and known.at > made.at:
            return
        self._acks[data.episode] = made
        self._acks.move_to_end(data.episode)
        while len(self._acks) > _MAX_ROWS:
            self._acks.popitem(last=False)

    def note(self, alert: AlertEvent, *, told: bool = True) -> None:
        """Take in what was published, `told` by this worker."""
        data = alert.data
        known = self._rows.get(data.episode)
        told = told or (known is not None and known.told)
        if known is not None and known.revision >= data.revision:
            known.told = told
            return
        starts = parse_time(data.starts_at)
        severities: list[tuple[int, str]] = [(starts, data.severity)]
        names = [s.name for s in data.signals]
        related = {r.episode: related_words(r) for r in data.related}
        if known is not None:
            severities = list(known.severities)
            names, related = known.names + names, dict(known.related) | related
        if severities[-1][1] != data.severity:
            severities.append((parse_time(alert.time), data.severity))
        resolved = data.status == "resolved"
        summary, begin, advice = data.annotations.summary.rpartition(_ADVICE)
        if not begin:
            summary, advice = advice, ""
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
            summary=summary.rstrip(),
            advice=f"{begin}{advice}".strip(),
            evidence=data.annotations.evidence,
            signals=[
                f"{s.name} ({s.segment})" if s.segment else s.name for s in data.signals[:_NAMED]
            ],
            from_start=[s.name for s in data.signals if s.from_start][:_NAMED],
            severities=severities[:1] + severities[1:][-_MAX_STEPS:],
            runbook=runbook_address(data.labels.kind, data.annotations.runbook_url),
            names=list(dict.fromkeys(names))[:_MAX_NAMES],
            related=list(related.items())[:_MAX_NAMES],
            heard=heard_in(data),
            told=told,
        )
        self._rows.move_to_end(data.episode)
        while len(self._rows) > _MAX_ROWS:  # what ended goes first
            ended = (id_ for id_, row in self._rows.items() if row.ends)
            del self._rows[next(ended, next(iter(self._rows)))]

    def telling(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        """(model, version, kind) of what fires -> its episode, and its newest summary."""
        return {
            (row.model, row.version, row.kind): (row.id, row.summary)
            for row in list(self._rows.values())
            if not row.ends
        }

    def rows(self) -> list[EpisodeRow]:
        """What fires, the worst first, then what ended, the newest first; with its last ack."""
        acks = self._acks
        return sorted(
            (
                msgspec.structs.replace(row, ack=ack) if (ack := acks.get(row.id)) else row
                for row in list(self._rows.values())
            ),
            key=lambda row: (
                (row.ends, 0) if row.ends else (INFINITY, SEVERITIES_OR_NONE.index(row.severity))
            ),
            reverse=True,
        )
