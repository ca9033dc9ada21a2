"""Which source topics there are: their ids and partition counts, watched while the worker runs.

aiokafka speaks a metadata version without topic ids, so the admin client is asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from stream.kafka.admin import admin, described

__all__ = [
    "PATIENCE_S",
    "SourceChangedError",
    "describe_topics",
    "refresh_sources",
    "source_topics",
]

#: A worker that is told to stop waits for a look that is under way.
_TIMEOUT_S: Final = 5.0
#: A topic that no broker knows for so long is not there. It may be being made again, and a broker
#: that has just begun may not know all yet.
PATIENCE_S: Final = 10.0
_AGAIN_S: Final = 1.0
log = logging.getLogger(__name__)


class SourceChangedError(RuntimeError):
    """A topic is not the one that the worker started with."""


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
    kafka: Mapping[str, object], names: Iterable[str]
) -> dict[str, tuple[str, int]]:
    """Describe topics that must exist; of one that is not there several brokers are asked.

    Raises
    ------
    LookupError
        Naming those that do not.
    """
    wanted = sorted(set(names))
    end = time.monotonic() + PATIENCE_S
    said = False
    while True:
        found = await asyncio.to_thread(describe_topics, kafka, wanted)
        missing = ", ".join(name for name in wanted if name not in found)
        if not missing:
            return found
        if time.monotonic() >= end:
            raise LookupError(
                f"no topic {missing} on this Kafka. Create what is missing: "
                "driftstream topics --create."
            )
        if not said:
            log.warning("no topic %s; asking again for %g s", missing, PATIENCE_S)
            said = True
        await asyncio.sleep(_AGAIN_S)


async def refresh_sources(
    kafka: Mapping[str, object], sources: dict[str, tuple[str, int]], fixed: Iterable[str]
) -> None:
    """Take added partitions in; topics in `fixed` must keep their number of partitions.

    Raises
    ------
    SourceChangedError
        If a topic was deleted, made again or not, or a fixed one has grown: what is held in memory
        is of the old one.
    """
    try:
        found = await source_topics(kafka, sources)
    except LookupError as error:
        raise SourceChangedError(f"a topic was deleted while the worker ran: {error}") from error
    except Exception as error:  # the broker is away for a while, or a topic is being made again
        log.warning("topics could not be looked at, trying again later: %s", error)
        return
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
