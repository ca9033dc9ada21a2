"""Workloads with permanent ids: seeded events, the reference they are judged by, a filled topic.

W1 is a model with 20 numeric features of mixed shapes, one JSON event of about 400 bytes each,
1,000 events a second of event time. The last tenth of the events has one feature changed, so that
a run can show that its tests were on. Other ids (W2, ...) are added here and never renumbered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Event time starts here: a fixed moment that is before every record timestamp.
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_BLOCK: Final = 65_536  # events made at a time

_SHAPES: Final[tuple[Callable[[np.random.Generator, int], Floats], ...]] = (
    lambda rng, n: rng.normal(0.0, 1.0, n),
    lambda rng, n: rng.lognormal(3.0, 0.5, n),
    lambda rng, n: rng.exponential(10.0, n),
    lambda rng, n: rng.poisson(4.0, n).astype(np.float64),
)


@dataclass(frozen=True)
class Workload:
    """One kind of load. `factor` maps the changed features to what their values are multiplied by.

    The stream and the reference come from the same distributions with different seeds.
    """

    id: str
    title: str
    n_numeric: int
    events: int
    events_per_s: int = 1_000
    seed: int = 20
    changed_share: float = 0.1
    factor: Mapping[str, float] = field(default_factory=lambda: {"f01": 1.3})

    @property
    def model(self) -> str:
        """Name of the model the events are of."""
        return self.id.lower()

    @property
    def names(self) -> list[str]:
        """Names of the features; a feature's shape is its number modulo the number of shapes."""
        return [f"f{i:02d}" for i in range(self.n_numeric)]

    @property
    def changes_at(self) -> int:
        """Index of the first changed event."""
        return self.events - int(self.events * self.changed_share)

    def columns(self, n: int, seed: int) -> dict[str, Floats]:
        """Unchanged values of every feature, rounded as the events have them."""
        rng = np.random.default_rng([self.seed, seed])
        return {
            name: np.round(_SHAPES[i % len(_SHAPES)](rng, n), 6)
            for i, name in enumerate(self.names)
        }

    def messages(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """The events as JSON, in the order of event time; `first` is a multiple of the block."""
        last = self.events if last is None else last
        template = self._template()
        step = timedelta(seconds=1 / self.events_per_s)
        for at in range(first, last, _BLOCK):
            n = min(_BLOCK, last - at)
            columns = self.columns(_BLOCK, 1 + at // _BLOCK)
            for name, factor in self.factor.items():
                columns[name][max(0, self.changes_at - at) :] *= factor
            rows = np.column_stack(list(columns.values()))[:n].tolist()
            for i, row in enumerate(rows, at):
                when = (START + i * step).isoformat(timespec="milliseconds")[:23]
                yield (template % (i, when, *row)).encode()

    def _template(self) -> str:
        whole = [_SHAPES[i % len(_SHAPES)] is _SHAPES[3] for i in range(self.n_numeric)]
        features = ",".join(
            f'"{name}":%d' if integer else f'"{name}":%.6f'
            for name, integer in zip(self.names, whole, strict=True)
        )
        head = '{"model":{"name":"' + self.model + '","version":"1"},"prediction_id":"%08x",'
        return head + '"timestamp":"%sZ","features":{' + features + "}}"

    def reference(self, n: int = 50_000) -> Any:
        """The reference, fitted on events of the unchanged distribution in their own order."""
        from detectors import fit_reference

        times = np.arange(n, dtype=np.int64) * (1_000 // self.events_per_s)
        columns = self.columns(n, 0)
        roles = dict.fromkeys(columns, "feature")
        return fit_reference(columns, model=self.model, roles=roles, times_ms=times)


def w1(partitions: int, chunk_records: int, chunks: int = 30) -> Workload:
    """W1, a whole number of chunks in each partition: so all of it is published without idling."""
    return Workload("W1", "20 numeric features", 20, partitions * chunk_records * chunks)


def fill(bootstrap: str, topic: str, partitions: int, workload: Workload) -> dict[str, float]:
    """Publish all events of a workload, event i to partition i modulo `partitions`.

    Returns
    -------
    dict
        `seconds` it took, and `bytes` of an event on average.
    """
    from confluent_kafka import Producer

    failed: list[str] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(str(error))

    producer = Producer({
        "bootstrap.servers": bootstrap, "acks": 1, "linger.ms": 20, "batch.size": 1_000_000,
        "queue.buffering.max.messages": 500_000, "queue.buffering.max.kbytes": 1_000_000,
    })  # fmt: skip
    began, size = time.monotonic(), 0
    for i, message in enumerate(workload.messages()):
        size += len(message)
        while True:
            try:
                # A callback for each would halve the rate: errors of the rest show in `flush`.
                producer.produce(topic, message, partition=i % partitions, on_delivery=(
                    delivered if i % 1_000 == 0 else None))  # fmt: skip
                break
            except BufferError:
                producer.poll(0.05)
        if i % 2_000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left or failed:
        raise RuntimeError(f"{topic}: {left} events not delivered; {failed[:1]}")
    return {"seconds": time.monotonic() - began, "bytes": size / workload.events}
