"""Log lines about what was refused or counted together: one a minute for each kind, not one each.

Whoever floods a topic with garbage fills the counters and the dead-letter topic, not the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from faust.types import TP

from stream.join.partition import PartitionJoin
from stream.stage1.chunk_counts import MAX_SEGMENT_CHARS, MAX_SEGMENTS
from stream.stage1.stats import Stage1Stats
from stream.stage1.versions import AT_ONCE, OTHER_VERSION
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.version_bound import MAX_VERSIONS
from stream.stage2.windows import MAX_SCOPES
from stream.text.printable import MAX_NAME, printable

__all__ = ["LimitLog"]

log = logging.getLogger(__name__)
_EVERY_S: Final = 60.0
_WHY_RETIRED: Final = {
    "bound": f"there are more than {MAX_VERSIONS}, and these were not heard for longest",
    "unheard": "no events for the model's retire_after",
}
_UNJOINABLE: Final = {
    "prediction_without_id": "predictions have no id, so no label finds them",
    "label_without_id": "labels have no id, so they find no prediction",
    "label_without_truth": "labels say no truth",
}
#: Refusals that every takeover and restart brings: nothing is missing then.
_HARMLESS: Final = frozenset({"duplicate"})


class LimitLog:
    """Compares counters with what was last said.

    Parameters
    ----------
    stats, joins, monitors : callable
        (partition, its counters) of stage 1, (partition, its joins) and (partition, monitor) of
        stage 2, as of now.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        stats: Callable[[], Iterable[tuple[TP, Stage1Stats]]],
        joins: Callable[[], Iterable[tuple[TP, PartitionJoin]]],
        monitors: Callable[[], Iterable[tuple[TP, PartitionMonitor]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stats, self._joins, self._monitors = stats, joins, monitors
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[int, float]] = {}

    async def check(self) -> None:
        """Say what is new; called often, it speaks seldom."""
        now = self._clock()
        there = set()
        for tp, kind, count, words in self._counters():
            key = (*tp, kind)
            there.add(key)
            before, at = self._said.get(key, (0, now - _EVERY_S))
            if count < before:  # the partition was given up and came back
                before = 0
            if count > before and now - at >= _EVERY_S:
                self._said[key] = (count, now)
                log.warning("%s[%d]: " + words, *tp, count - before)
        for gone in self._said.keys() - there:
            del self._said[gone]

    def _counters(self) -> Iterator[tuple[TP, str, int, str]]:
        """(partition, kind, count so far, words with a place for how many are new)."""
        for tp, stats in self._stats():
            for reason, count in list(stats.rejected.items()):
                offset, error = stats.last_reject.get(reason, (-1, ""))
                words = (
                    f"%d records refused as {reason} and put on the dead-letter topic; the last "
                    f"at offset {offset}: {_plain(error)}"
                )
                yield tp, reason, count, words
            words = (
                f"%d values of segments are counted together as __other__: more than "
                f"{MAX_SEGMENTS} values of a segment in a chunk, or longer than "
                f"{MAX_SEGMENT_CHARS} characters"
            )
            yield tp, "segments", stats.segments_folded, words
            for model, count in list(stats.versions_folded.items()):
                words = (
                    f"%d events of {_plain(model)} are counted together as version "
                    f"{OTHER_VERSION}: more than {AT_ONCE} versions in a chunk. Does somebody put "
                    "an id or a time into model.version?"
                )
                yield tp, f"versions {model}", count, words
            for (model, reason), count in list(stats.unjoinable.items()):
                yield tp, f"{reason} {model}", count, f"%d {_UNJOINABLE[reason]} ({_plain(model)})"
        for tp, joins in self._joins():
            for reason, count in list(joins.refused.items()):
                yield tp, f"pairs {reason}", count, f"%d messages of pairs refused as {reason}"
        for tp, monitor in self._monitors():
            for reason, count in list(monitor.refused.items()):
                if reason not in _HARMLESS:
                    yield tp, reason, count, f"%d summaries refused as {reason}"
            for (model, reason), count in list(monitor.retired.items()):
                why = _WHY_RETIRED[reason]
                yield (
                    tp,
                    f"retired {model} {reason}",
                    count,
                    (f"%d versions of {_plain(model)} were forgotten: {why}"),
                )
            for subject, subject_monitor in list(monitor.subjects.items()):
                detection = subject_monitor.detection
                if detection is None or len(detection.windows.filling) < MAX_SCOPES:
                    continue
                words = (
                    f"{_plain(str(subject))} has {MAX_SCOPES} segments with a window of their own; "
                    "further values are tested together as __other__ (%d)"
                )
                yield tp, f"scopes {subject}", 1, words


def _plain(text: str) -> str:
    """A producer's words on one line, and none of them a place for a number."""
    return printable(text, MAX_NAME).replace("%", "%%")
