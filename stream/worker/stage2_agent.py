"""Stage 2 as a Faust agent: a `PartitionMonitor` for each partition of the summaries topic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from faust.types import TP

from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.stage2.monitor import PartitionMonitor
from stream.worker.restored_stage import RestoredPartition, RestoredStage
from stream.worker.sender import Outgoing

__all__ = ["MonitorPartition", "Stage2"]

log = logging.getLogger(__name__)
MonitorPartition: TypeAlias = RestoredPartition[PartitionMonitor]


class Stage2(RestoredStage[PartitionMonitor]):
    """All partitions of the summaries topic that one worker has.

    Parameters
    ----------
    alerts : str
        Topic.
    on_alert : callable
        Told of every alert event that is published, for counters.
    **others
        As of `RestoredStage`.
    """

    begins = "detectors and episodes"

    def __init__(
        self, *common: Any, alerts: str, on_alert: Callable[[AlertEvent], None], **others: Any
    ) -> None:
        super().__init__(*common, **others)
        self._alerts, self._on_alert = alerts, on_alert

    def _begin(self, tp: TP) -> PartitionMonitor:
        return PartitionMonitor(self._plans)

    async def _publish(self, part: MonitorPartition, out: Sequence[AlertEvent]) -> None:
        """Start to send alert events; nothing is awaited."""
        for alert in out:
            record = Outgoing(self._alerts, alert.data.fingerprint.encode(), encode_alert(alert))
            part.sent.append(asyncio.ensure_future(self._send(part, record)))
            self._on_alert(alert)

    async def _send(self, part: MonitorPartition, out: Outgoing) -> None:
        async with part.sending:  # revisions of an episode stay in order
            ack = await self._sender.send(out)
        await ack

    async def release_idle(self) -> None:
        """Evict the tests of subjects to which nothing happened since the last call."""
        for part in list(self.parts.values()):
            if part.restored and (n := part.monitor.release_idle()):
                log.debug("%s[%d]: tests of %d idle subjects evicted", *part.tp, n)
