"""The plans topic from outside the worker: publish plans, and read what is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from stream.client.records import Message, publish, read_topic
from stream.contracts.moments import MINUS_INFINITY
from stream.contracts.unread import Unread
from stream.kafka.skips import SkipBook, unread_plans
from stream.kafka.unreadable_batch import UnreadableError
from stream.plans.parts import PlanAssembler, plan_parts
from stream.plans.plan import AnyPlan, PlanBook

__all__ = ["Published", "publish_plan", "publish_plans", "read_plans"]

log = logging.getLogger(__name__)

#: An event may be this far ahead of its record (`max_ahead`), so no watermark is further.
_AHEAD_MS: Final = 60_000
#: A plan comes into force at least this far beyond the watermark: workers have read it by then.
_NOTICE_MS: Final = 300_000


class Published(NamedTuple):
    """What became of a plan: `new` is False where it was there already.

    `superseded_by` is the hash of the plan that was published after it, if there is one: it was
    left at that, and `effective_from_ms` is the time of that one.
    """

    new: bool
    effective_from_ms: int
    superseded_by: str = ""


def publish_plans(
    kafka: Mapping[str, object],
    topic: str,
    plans: Sequence[AnyPlan],
    *,
    effective_from_ms: int | None = None,
    again: bool = False,
    clock: Callable[[], float] = time.time,
) -> list[Published]:
    """Publish each plan, unless it is the last one published for its model and version.

    One that was published before the last one is only published `again` if told to: whoever comes
    back with an older config would undo what others have decided since.

    Without `effective_from_ms` a model's first plan holds for all times, and a later one from the
    first pane that starts 6 minutes from now: no watermark is more than one minute ahead of the
    clock (seconds since the epoch), so that is at least 5 minutes beyond it.
    """
    book = PlanBook()
    before: set[str] = set()
    for known, since in read_plans(kafka, topic):
        book.add(known, since)
        before.add(known.hash)
    done: list[Published] = []
    messages: list[Message] = []
    for plan in plans:
        timeline = book.timeline(plan.model, plan.version)
        if timeline and timeline[-1][1].hash == plan.hash:
            done.append(Published(False, timeline[-1][0]))
            continue
        if plan.hash in before and not again:
            held_since, newest = timeline[-1]
            done.append(Published(False, held_since, newest.hash))
            continue
        since = MINUS_INFINITY if effective_from_ms is None else effective_from_ms
        if timeline and effective_from_ms is None:
            # Never before a plan that is already on its way: the one published last is to win.
            earliest = max(int(clock() * 1000) + _AHEAD_MS + _NOTICE_MS, timeline[-1][0] + 1)
            since = plan.pane_of(earliest + plan.pane_ms - 1)
        messages += [(key, value, ()) for key, value in plan_parts(plan, since)]
        book.add(plan, since)
        done.append(Published(True, since))
    if messages:
        publish(kafka, topic, messages)
    return done


def publish_plan(
    kafka: Mapping[str, object],
    topic: str,
    plan: AnyPlan,
    *,
    effective_from_ms: int | None = None,
    again: bool = False,
    clock: Callable[[], float] = time.time,
) -> Published:
    """Publish one plan, as `publish_plans` does."""
    return publish_plans(
        kafka, topic, [plan], effective_from_ms=effective_from_ms, again=again, clock=clock
    )[0]


def read_plans(kafka: Mapping[str, object], topic: str) -> list[tuple[AnyPlan, int]]:
    """Read every whole plan on the topic with its `effective_from_ms`, in the topic's order.

    Raises
    ------
    UnreadableError
        If part of the topic cannot be read and is not skipped.
    """
    assembler, skips = PlanAssembler(), SkipBook()
    unread: list[tuple[int, Unread]] = []
    plans = [
        found
        for record in read_topic(kafka, topic, on_unread=lambda _, p, u: unread.append((p, u)))
        if not skips.add(record.key, record.value)
        for found in assembler.add(record.key, record.value)
    ]
    for partition, batch in unread:
        if skips.find(topic, partition, batch) is None:
            raise UnreadableError(unread_plans(topic, partition, batch))
    for words in assembler.incomplete:
        log.warning("%s: %s; ignored. Publish it again.", topic, words)
    return plans
