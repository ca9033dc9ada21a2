"""What a revision says that none before it did, as codes and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stream.alerts.members import Member, list_names
from stream.alerts.sentences import GROWN, LEADS
from stream.alerts.severity import SEVERITY_OF_LEVEL
from stream.contracts.alert_event import News

__all__ = ["CLEAR_LEAD", "Published", "news_of"]

#: Another signal takes the lead when its weight is so many times the leader's.
CLEAR_LEAD = 1.5


class Published(NamedTuple):
    """What was last published of an episode: revision 0 before it opened.

    `leader` is who led, if it is still there.
    """

    revision: int
    severity: int
    leader: Member | None


def news_of(
    published: Published,
    ranked: Sequence[Member],
    joined: Sequence[Member],
    left: Sequence[Member],
    private: bool,
) -> list[tuple[News, str]]:
    """The news of a revision with these members, strongest first; "" for what needs no words."""
    news: list[tuple[News, str]] = []
    if not published.revision:
        news.append(("opened", ""))
    for words, odd in _words_by_day(ranked).items():
        news.append(("day", f"{list_names(odd, private)} {words}"))
    if published.revision and joined:
        news.append(("joined", f"{list_names(joined, private)} joined"))
    if left:
        news.append(("left", f"{list_names(left, private)} left"))
    severity = ranked[0].severity
    if published.revision and severity != published.severity:
        words = f"now {SEVERITY_OF_LEVEL[severity]}, before {SEVERITY_OF_LEVEL[published.severity]}"
        news.append(("severity", words))
    lead = ranked[0]
    if published.leader is not None and lead.leads_clearly(published.leader, CLEAR_LEAD):
        news.append(("lead", f"{list_names([lead], private)}{LEADS}"))
    if published.revision and lead.since and lead.size.grown:
        news.append(("grown", GROWN))
    if turned := [member for member in ranked if member.way.turned]:
        news.append(("direction", f"{list_names(turned, private)} changed direction"))
    if early := [
        member for member in ranked if member.from_start and not member.from_start_published
    ]:
        are = "are" if len(early) > 1 else "is"
        news.append(
            (
                "from_start",
                f"{list_names(early, private)} {are} different from the "
                "reference from the start: is it the right reference?",
            )
        )
    return news


def _words_by_day(members: Iterable[Member]) -> dict[str, list[Member]]:
    """What is to be published of single days, and of whose."""
    by_words: dict[str, list[Member]] = {}
    for member in members:
        if member.days.words:
            by_words.setdefault(member.days.words, []).append(member)
    return by_words
