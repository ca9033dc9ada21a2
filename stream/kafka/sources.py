"""Which source topics there are: their ids and partition counts, watched while the worker runs.

aiokafka speaks a metadata version without topic ids, so the admin client is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from stream.contracts.errors import DriftstreamError, NotFoundError
from stream.kafka.admin import admin, described
from stream.plans.plan import PlanBook
from stream.process.retry import Retry

__all__ = [
    "PATIENCE_S",
    "SourceChangedError",
    "absent_words",
    "describe_topics",
    "event_topics",
    "refresh_sources",
    "source_topics",
]

#: A worker that is to stop waits for a look that is under way.
_TIMEOUT_S: Final = 5.0
#: A topic that no broker knows for so long is not there. It may be being made again, and a broker
#: that has just begun may not know all yet.
PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 1.0
log = logging.getLogger(__name__)


class SourceChangedError(DriftstreamError, RuntimeError):
    """A topic is not the one that the worker started with."""


def event_topics(plans: PlanBook) -> dict[str, list[str]]:
    """Each topic that plans read, with the models whose newest plan does: it may be none.

    Topics of labels that are joined are among them.
    """
    topics: dict[str, set[str]] = {}
    for _, plan in plans:
        newest = plans.timeline(plan.model, plan.version)[-1][1]
        read = {newest.topic, newest.outcome_labels}
        for topic in {plan.topic, plan.outcome_labels} - {""}:
            topics.setdefault(topic, set()).update([plan.model] * (topic in read))
    return {topic: sorted(models) for topic, models in sorted(topics.items())}


def absent_words(topic: str, models: Iterable[str]) -> str:
    """Say of a source topic that it is not there."""
    return f"no topic {topic}, which the plan of {', '.join(models)} reads"


def describe_topics(
    kafka: Mapping[str, object], names: Sequence[str]
) -> dict[str, tuple[str, int]]:
    """(topic id, number of partitions) of each topic that exists."""
    with admin(kafka, timeout_s=_TIMEOUT_S) as client:
        found = described(client, names)
    return {
        name: (str(topic["topic_id"]), len(topic["partitions"])) for name, topic in found.items()
    }


async def source_topics(
    kafka: Mapping[str, object], names: Iterable[str], may_lack: Collection[str] = ()
) -> dict[str, tuple[str, int]]:
    """Describe topics that must exist, but those that `may_lack` then are left out.

    Of one that is not there several brokers are asked.

    Raises
    ------
    NotFoundError
        Naming those that do not.
    """
    wanted = sorted(set(names))
    retry = Retry(_PAUSE_S, within_s=PATIENCE_S)
    while True:
        found = await asyncio.to_thread(describe_topics, kafka, wanted)
        missing = [name for name in wanted if name not in found]
        if not missing:
            return found
        if not retry.pause_s:
            log.warning("no topic %s; asking again for %g s", ", ".join(missing), PATIENCE_S)
        if not await retry.sleep_async():
            break
    if needed := ", ".join(name for name in missing if name not in may_lack):
        raise NotFoundError(
            f"no topic {needed} on this Kafka. Create what is missing: driftstream topics --create."
        )
    return found


async def refresh_sources(
    kafka: Mapping[str, object],
    sources: dict[str, tuple[str, int]],
    fixed: Iterable[str],
    awaited: Collection[str] = (),
) -> None:
    """Take added partitions in; topics in `fixed` must keep their number of partitions.

    Raises
    ------
    SourceChangedError
        If a topic was deleted, made again or not, or a fixed one has grown: what is held in memory
        is of the old one. Or if one that is `awaited` is there now.
    """
    try:
        found = await source_topics(kafka, sources)
        new = await asyncio.to_thread(describe_topics, kafka, list(awaited)) if awaited else {}
    except LookupError as error:
        raise SourceChangedError(f"a topic was deleted while the worker ran: {error}") from error
    except Exception as error:  # the broker is away for a while, or a topic is being made again
        log.warning("topics could not be looked at, trying again later: %s", error)
        return
    for name in new:
        raise SourceChangedError(
            f"topic {name} was not there when the worker started, and is now. Start the worker "
            "again: it is then read."
        )
    for name, (topic_id, n_partitions) in found.items():
        old_id, old_n = sources[name]
        if topic_id != old_id:
            raise SourceChangedError(
                f"topic {name} was deleted and made again while the worker ran (id {old_id}, now "
                f"{topic_id}). Start the worker again: the new topic is another source."
            )
        if name in fixed and n_partitions != old_n:
            raise SourceChangedError(
                f"topic {name} has {n_partitions} partitions, {old_n} when the worker started. "
                "Its keys are spread by that number, so it must not change: make a new summaries "
                "and state topic instead, and name them in the config."
            )
        sources[name] = (topic_id, n_partitions)
