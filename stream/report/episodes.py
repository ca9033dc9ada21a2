"""The section about episodes: their timeline, and the sentences of each."""

from __future__ import annotations

from typing import Final

from stream.report.charts import timeline
from stream.report.html import Child, Markup, join, tag
from stream.report.model import Episode, Report
from stream.report.parts import badge, section, table
from stream.report.phrases import (
    NO_EPISODE,
    ONE_CAUSE,
    evidence_of,
    from_start,
    newest_first,
    of_episode,
    open_beside,
    runbook_command,
    stages,
)
from stream.report.words import arrows, minute, words
from stream.text.counted import counted

__all__ = ["episodes_section"]

#: Episodes that are shown at once; earlier ones open on demand.
_SHOWN: Final = 4


def episodes_section(report: Report) -> Markup | None:
    """The timeline, and the sentences of each episode."""
    if not report.episodes:
        return section("episodes", "Episodes", NO_EPISODE)
    newest = newest_first(report.episodes)
    chart = timeline(report.episodes, report.start_ms, report.end_ms, "Timeline of episodes")
    return section(
        "episodes",
        "Episodes",
        f"{ONE_CAUSE} Ticks are revisions in which a signal joined or left. Times are event times "
        "in UTC.",
        tag("div", chart, class_="panel"),
        tag("ol", (_episode(episode) for episode in newest[:_SHOWN]), class_="episodes"),
        tag(
            "details",
            tag("summary", counted(len(newest) - _SHOWN, "earlier episode")),
            tag("ol", (_episode(episode) for episode in newest[_SHOWN:]), class_="episodes"),
        )
        if len(newest) > _SHOWN
        else None,
    )


def _episode(episode: Episode) -> Markup:
    state = (
        badge("firing", f"sev-{episode.severity}")
        if episode.firing
        else badge("resolved", "resolved")
    )
    asked = from_start(episode)
    return tag(
        "li",
        tag(
            "h3",
            words(episode.kind).capitalize(),
            " ",
            state,
            " ",
            badge(f"peak {episode.severity}", f"sev-{episode.severity}"),
        ),
        tag("p", of_episode(episode), class_="meta"),
        _sentences(episode),
        tag("p", asked) if asked else None,
        tag("p", beside, class_="meta") if (beside := open_beside(episode)) else None,
        _runbook(episode),
        _evidence(episode),
        tag("details", tag("summary", "Revisions"), _revisions(episode)),
    )


def _sentences(episode: Episode) -> Markup:
    """Its sentence while it fires; once it ended, how it began, was at its worst, and ended."""
    paragraphs: list[Child] = []
    for name, revision in stages(episode):
        when = None if episode.firing else tag("strong", f"{name}, {minute(revision.time_ms)}: ")
        paragraphs.append(tag("p", when, arrows(revision.summary)))
    return join(*paragraphs)


def _evidence(episode: Episode) -> Markup | None:
    evidence = evidence_of(episode)
    return tag("details", tag("summary", "Evidence"), tag("p", evidence)) if evidence else None


def _runbook(episode: Episode) -> Markup:
    if episode.runbook_url.startswith(("https://", "http://")):
        return tag("p", tag("a", "Runbook", href=episode.runbook_url, rel="noreferrer"))
    return tag("p", "Runbook: ", tag("code", runbook_command(episode)), class_="meta")


def _revisions(episode: Episode) -> Markup:
    rows = [
        (
            revision.number,
            minute(revision.time_ms),
            revision.status if revision.status == "resolved" else revision.severity,
            ", ".join(revision.joined) or "–",
            ", ".join(revision.left) or "–",
        )
        for revision in episode.revisions
    ]
    heads = ("revision", "time (UTC)", "severity", "joined", "left")
    return table(f"Revisions of episode {episode.id}", heads, rows, figures=frozenset({0}))
