"""Both stages in one process over records: no broker, the same decisions.

Records go through the very decoder, summariser and monitor that the workers run, as one source
partition. What a cluster would seal only later is sealed at the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from stream.contracts.alert_event import AlertEvent
from stream.contracts.moments import INFINITY
from stream.contracts.summary_message import Source
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.columns import Reject
from stream.decode.record import Record
from stream.plans.plan import PlanBook, Subject
from stream.plans.privacy import CategoryHash
from stream.replay.blocks import PaneBlocks
from stream.replay.label_join import FileLabels, LabelJoin
from stream.stage1.summarise import CHUNK_RECORDS, Flush, Summariser
from stream.stage2.detection import Detection, OnWindow
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.untested import AtEnd, untested_at_end

__all__ = ["Replay"]

#: Records per call of the decoder, a part of a chunk; the result does not depend on it.
BATCH_RECORDS: Final = CHUNK_RECORDS // 4


class Replay:
    """Both stages joined directly.

    Parameters
    ----------
    plans : PlanBook
        The plans to monitor under.
    topic : str
        Name that stands for the source in offsets; the plans' own topic.
    on_reject : callable, optional
        Called with (record, reject) for every record that a worker would put on the dead-letter
        topic.
    on_window : callable, optional
        Called with (plan, window, result) for every window that is tested.
    hashing : CategoryHash, optional
        The key of hashed categories.
    source : SourceOptions, optional
        The format of the records; native by default.
    labels : FileLabels, optional
        Truths of predictions that the records bring without one, which are joined by id.
    """

    def __init__(
        self,
        plans: PlanBook,
        topic: str = "predictions",
        on_reject: Callable[[Record, Reject], None] | None = None,
        on_window: OnWindow | None = None,
        hashing: CategoryHash | None = None,
        source: SourceOptions | None = None,
        labels: FileLabels | None = None,
    ) -> None:
        partition = Source("file", topic, 0, 1 if labels is None else 2)
        self.joined: LabelJoin | None = None
        if labels is not None:
            self.joined = LabelJoin(labels, partition._replace(partition=1))
        # A file is read long after its events, and a record has no time of its own: none is ahead.
        native = NativeDecoder(plans, max_ahead_ms=INFINITY, hashing=hashing)
        decoder = FormatDecoder(native, source)
        self._blocks = PaneBlocks(decoder, plans, topic)
        counted = None if self.joined is None else self.joined.count
        self.summariser = Summariser(partition, plans, self._blocks, on_counted=counted)
        # Labels that are joined here are a partition of the one source.
        self.monitor = PartitionMonitor(plans, on_window=on_window, wait_for_joins=False)
        self._on_reject = on_reject
        self._offset = 0

    def run(self, records: Iterable[Record], *, at_end: bool = True) -> Iterator[AlertEvent]:
        """Alert events of the records, as they come; `at_end` seals what is left."""
        stream = iter(records)
        while batch := list(islice(stream, BATCH_RECORDS)):
            for block in self._blocks.cut(batch):
                for flush in self.summariser.add(block):
                    yield from self._apply(flush)
                if self.joined is not None:
                    yield from self._send(self.joined.advance(self.summariser.stats.watermark_ms))
        if at_end:
            last = self.summariser.flush_idle()
            if last is not None:
                yield from self._apply(last)
            if self.joined is not None:
                yield from self._send(self.joined.finish())
            yield from self.monitor.seal_all()

    def untested(self) -> AtEnd:
        """What was not tested of the records so far, and whether anything was."""
        subjects = self.monitor.subjects
        if not subjects:
            return untested_at_end(None)
        ends = {subject: untested_at_end(monitor.phase) for subject, monitor in subjects.items()}
        tested = any(end.tested for end in ends.values())
        return AtEnd(
            tested,
            [
                each if len(ends) == 1 else each._replace(words=f"{subject}: {each.words}")
                for subject, end in sorted(ends.items())
                for each in end.untested
            ],
        )

    def detections(self) -> Iterator[tuple[Subject, Detection]]:
        """What is tested of each subject that has a plan with a reference, in order."""
        for subject, monitor in sorted(self.monitor.subjects.items()):
            if monitor.detection is not None:
                yield subject, monitor.detection

    def _apply(self, flush: Flush) -> Iterator[AlertEvent]:
        if self._on_reject is not None:
            for record, reject in flush.rejects:
                self._on_reject(record, reject)
        yield from self._send((*(value for _, value in flush.summaries), flush.progress))

    def _send(self, values: Iterable[bytes]) -> Iterator[AlertEvent]:
        for value in values:
            yield from self.monitor.apply(self._offset, value, 0, plans_current=True)
            self._offset += 1
