"""Workloads with permanent ids: seeded events, the reference they are judged by, a filled topic.

Ids are permanent: new ones are added to `WORKLOADS` and never renumbered. Features have mixed
shapes. The last tenth of the events has one feature changed, so that a run can show that its tests
were on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
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


#: Categories of a categorical feature, and their shares.
_CATEGORIES: Final = ("DE", "FR", "PL", "IT", "ES", "other country")
_SHARES: Final = (0.4, 0.25, 0.15, 0.1, 0.07, 0.03)
_FORMS: Final = {"event": 1, "batch": 500, "arrow": 1_000}


@dataclass(frozen=True)
class Workload:
    """One kind of load. `factor` maps the changed features to what their values are multiplied by.

    The stream and the reference come from the same distributions with different seeds. Of several
    models each event has one at random, and so it has a segment. `form` says what a message is:
    one event as JSON, a native batch of 500, or an Arrow batch of 1,000.
    """

    id: str
    title: str
    n_numeric: int
    events: int
    events_per_s: int = 1_000
    seed: int = 20
    changed_share: float = 0.1
    factor: Mapping[str, float] = field(default_factory=lambda: {"f01": 1.3})
    n_categorical: int = 0
    missing: float = 0.0
    n_models: int = 1
    n_segments: int = 0
    form: str = "event"
    goal: float | None = None  # events a second

    @property
    def model(self) -> str:
        """Name of the model the events are of, or of the first of them."""
        return self.models[0]

    @property
    def models(self) -> list[str]:
        """Names of all models."""
        name = self.id.lower()
        return [name] if self.n_models == 1 else [f"{name}-{i}" for i in range(self.n_models)]

    @property
    def names(self) -> list[str]:
        """Numeric features; a feature's shape is its number modulo the number of shapes."""
        return [f"f{i:02d}" for i in range(self.n_numeric)]

    @property
    def rows(self) -> int:
        """Events of one message."""
        return _FORMS[self.form]

    @property
    def records(self) -> int:
        """Messages of the whole load."""
        return self.events // self.rows

    @property
    def changes_at(self) -> int:
        """Index of the first changed event."""
        return self.events - int(self.events * self.changed_share)

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Headers of every message."""
        from stream.contracts.prediction_event import ARROW_CONTENT_TYPE, BATCH_CONTENT_TYPE

        kinds = {"event": None, "batch": BATCH_CONTENT_TYPE, "arrow": ARROW_CONTENT_TYPE}
        kind = kinds[self.form]
        return [] if kind is None else [("content-type", kind.encode())]

    def columns(self, n: int, seed: int) -> dict[str, Any]:
        """Unchanged values of every feature, rounded as the events have them."""
        rng = np.random.default_rng([self.seed, seed])
        found: dict[str, Any] = {
            name: np.round(_SHAPES[i % len(_SHAPES)](rng, n), 6)
            for i, name in enumerate(self.names)
        }
        for i in range(self.n_categorical):
            found[f"c{i:02d}"] = rng.choice(np.array(_CATEGORIES, object), n, p=_SHARES)
        if self.missing:
            for name, values in found.items():
                gone = rng.random(n) < self.missing
                values[gone] = None if name.startswith("c") else np.nan
        return found

    def messages(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """The messages, in the order of event time; `first` is a multiple of the block."""
        last = self.events if last is None else last
        block = _BLOCK - _BLOCK % self.rows
        write = {"event": self._events, "batch": self._batches, "arrow": self._arrow}[self.form]
        for at in range(first, last, block):
            columns = self.columns(block, 1 + at // block)
            for name, factor in self.factor.items():
                columns[name][max(0, self.changes_at - at) :] *= factor
            n = min(block, last - at)
            yield from write(at, {name: values[:n] for name, values in columns.items()}, n)

    def _ms(self, first: int, n: int) -> Floats:
        start = START.timestamp() * 1000
        return np.floor(start + np.arange(first, first + n) * (1000 / self.events_per_s))

    def _events(self, at: int, columns: dict[str, Any], n: int) -> Iterator[bytes]:
        rng = np.random.default_rng([self.seed, 7, at])
        models = rng.integers(0, self.n_models, n).tolist()
        names = self.models
        if self.n_segments:
            regions = rng.integers(0, self.n_segments, n).tolist()
        template = self._template()
        texts = [_json(values) for values in columns.values()]
        step = timedelta(seconds=1 / self.events_per_s)
        for i, row in enumerate(zip(*texts, strict=True)):
            when = (START + (at + i) * step).isoformat(timespec="milliseconds")[:23]
            more = (f"r{regions[i]}",) if self.n_segments else ()
            yield (template % (names[models[i]], at + i, when, *row, *more)).encode()

    def _template(self) -> str:
        every = [*self.names, *(f"c{i:02d}" for i in range(self.n_categorical))]
        features = ",".join(f'"{name}":%s' for name in every)
        head = '{"model":{"name":"%s","version":"1"},"prediction_id":"%08x","timestamp":"%sZ",'
        segments = ',"segments":{"region":"%s"}' if self.n_segments else ""
        return head + '"features":{' + features + "}" + segments + "}"

    def _batches(self, at: int, columns: dict[str, Any], n: int) -> Iterator[bytes]:
        ms = self._ms(at, n)
        for start in range(0, n, self.rows):
            here = slice(start, start + self.rows)
            features = {name: values[here].tolist() for name, values in columns.items()}
            yield msgspec.json.encode(
                {
                    "model": {"name": self.model, "version": "1"},
                    "columns": {"timestamp": ms[here].tolist(), "features": features},
                }
            )

    def _arrow(self, at: int, columns: dict[str, Any], n: int) -> Iterator[bytes]:
        import pyarrow as pa

        ms = self._ms(at, n).astype("datetime64[ms]")
        about = {"model.name": self.model, "model.version": "1"}
        for start in range(0, n, self.rows):
            here = slice(start, start + self.rows)
            features = {f"features.{name}": values[here] for name, values in columns.items()}
            table = pa.table({"timestamp": ms[here], **features}).replace_schema_metadata(about)
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            yield sink.getvalue().to_pybytes()

    def reference(self, n: int = 50_000) -> Any:
        """The reference, fitted on events of the unchanged distribution in their own order."""
        from detectors import fit_reference

        times = np.arange(n, dtype=np.int64) * 1_000 // self.events_per_s
        columns = self.columns(n, 0)
        given = {k: v.tolist() if v.dtype == object else v for k, v in columns.items()}
        roles = dict.fromkeys(columns, "feature")
        return fit_reference(given, model=self.model, roles=roles, times_ms=times)


def _json(values: Any) -> list[str]:
    """Values as JSON texts."""
    if values.dtype == object:
        known = {c: f'"{c}"' for c in _CATEGORIES} | {None: "null"}
        return [known[v] for v in values.tolist()]
    if (values[:100] % 1 == 0).all():
        return [str(int(v)) for v in values.tolist()]
    return [f"{v:.6f}" if v == v else "null" for v in values.tolist()]


def _whole(name: str, title: str, n_numeric: int, chunks: int, **more: Any) -> tuple[Workload, int]:
    return Workload(name, title, n_numeric, 0, **more), chunks


#: Workloads and how many chunks of each partition they have by default: a whole number, so that
#: all is published without idling. Batches are counted in events instead: a chunk is of records.
WORKLOADS: Final = {
    workload.id: (workload, size)
    for workload, size in (
        _whole("W1", "20 numeric features", 20, 30, goal=180_000.0),
        _whole("W2", "100 numeric features", 100, 6, goal=40_000.0),
        _whole(
            "W3",
            "20 features, 8 of them categorical, 5 % missing",
            12,
            16,
            n_categorical=8,
            missing=0.05,
            goal=80_000.0,
        ),
        _whole(
            "W4",
            "200 models x 20 numeric features",
            20,
            12,
            n_models=200,
            events_per_s=20_000,
            changed_share=0.5,
        ),
        _whole(
            "W5",
            "1 model x 2,000 segments, 20 numeric features",
            20,
            12,
            n_segments=2_000,
            events_per_s=20_000,
            changed_share=0.5,
        ),
        _whole(
            "W6",
            "native batches of 500 events",
            20,
            0,
            form="batch",
            events_per_s=10_000,
            goal=500_000.0,
        ),
        _whole(
            "W7",
            "Arrow batches of 1,000 events",
            20,
            0,
            form="arrow",
            events_per_s=10_000,
            goal=1_000_000.0,
        ),
    )
}
_BATCH_EVENTS: Final = {"W6": 3_000_000, "W7": 6_000_000}


def make(name: str, partitions: int, chunk_records: int, share: float = 1.0) -> Workload:
    """The workload of this name; `share` of its usual length."""
    workload, chunks = WORKLOADS[name]
    if chunks:
        events = partitions * chunk_records * max(1, round(chunks * share))
    else:
        per = partitions * workload.rows
        events = round(_BATCH_EVENTS[name] * max(share, 0.8)) // per * per  # panes after the change
    return replace(workload, events=events)


def w1(partitions: int, chunk_records: int, chunks: int = 30) -> Workload:
    """W1 in a length of one's own."""
    return replace(WORKLOADS["W1"][0], events=partitions * chunk_records * chunks)


def fill(bootstrap: str, topic: str, partitions: int, workload: Workload) -> dict[str, float]:
    """Publish all messages of a workload, message i to partition i modulo `partitions`.

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

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": 1,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    began, size, headers = time.monotonic(), 0, workload.headers
    for i, message in enumerate(workload.messages()):
        size += len(message)
        while True:
            try:
                # A callback for each would halve the rate: errors of the rest show in `flush`.
                producer.produce(
                    topic,
                    message,
                    partition=i % partitions,
                    headers=headers,
                    on_delivery=delivered if i % 1_000 == 0 else None,
                )
                break
            except BufferError:
                producer.poll(0.05)
        if i % 2_000 == 0 or headers:
            producer.poll(0)
    left = producer.flush(120)
    if left or failed:
        raise RuntimeError(f"{topic}: {left} events not delivered; {failed[:1]}")
    return {"seconds": time.monotonic() - began, "bytes": size / workload.events}
