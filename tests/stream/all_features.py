"""Every kernel after the warm-up, and after both stages did all they can: run as a program.

Prints as JSON the kernels that have been compiled for types which the warm-up did not have, with
those types, and how many kernels have been used at all.
"""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

import detectors
from detectors._jit import KERNELS
from detectors.windowed.catalogue import WINDOWED_TESTS
from stream.contracts.prediction_event import ARROW_CONTENT_TYPE, BATCH_CONTENT_TYPE
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.metrics.gauges import signal_gauges
from stream.plans.plan import Plan, PlanBook, SignalOptions, decode_plan
from stream.stage1 import quorum
from stream.stage1.summarise import Summariser
from stream.stage2.monitor import PartitionMonitor
from tests.stream.harness import make_plan, make_reference, reloaded, run_stages

HOUR_MS = 3_600_000


def plans() -> PlanBook:
    """Independent and dependent references, every test, segments, a cycle, slots, one signal."""
    book = PlanBook()
    every = tuple(WINDOWED_TESTS)
    numeric = tuple(t for t, test in WINDOWED_TESTS.items() if "numeric" in test.kinds)
    chosen = {
        "x": SignalOptions(tests=(*numeric, "adwin", "edetector")),
        "c": SignalOptions(tests=tuple(t for t in every if t not in set(every) - _of_names())),
    }
    book.add(make_plan())
    book.add(make_plan(model="every", signals=chosen))
    rng = np.random.default_rng(0)
    n = 4_000
    for model, columns in (
        ("numbers", {"x": rng.normal(size=n)}),
        ("names", {"c": rng.choice(["a", "b", "d"], n).tolist()}),
        ("both", {"x": rng.normal(size=n), "c": rng.choice(["a", "b"], n).tolist()}),
    ):
        reference = detectors.fit_reference(columns, model=model, times_ms=np.arange(n) * 1_000)
        book.add(
            Plan(
                model=model,
                reference=reference,
                segments=("region",),
                window_events=200,
                window_min_events=100,
                false_alarms_per_week=200.0,
            )
        )
    book.add(make_plan(model="cycle", cycle_ms=HOUR_MS, reference=make_reference("cycle")))
    step = 60_000
    times = step * np.arange(8 * 1_440)
    columns = {
        "x": np.sin(times / 13_750_987) + rng.normal(size=times.size),
        "c": rng.choice(["a", "b", "d"], times.size).tolist(),
    }
    seasonal = detectors.fit_reference(
        columns, model="slots", times_ms=times, seasons=detectors.Seasons("auto")
    )
    book.add(
        Plan(
            model="slots",
            reference=seasonal,
            segments=("region",),
            window_events=200,
            signals=chosen,
            window_min_events=100,
            false_alarms_per_week=200.0,
        )
    )
    return book


def _of_names() -> set[str]:
    return {t for t, test in WINDOWED_TESTS.items() if "categorical" in test.kinds}


def events(n: int = 6_000) -> list[bytes]:
    """Single events of all models in turn, some late or with missing and wrong values."""
    rng = np.random.default_rng(3)
    models = ("fraud", "every", "numbers", "names", "both", "cycle", "slots")
    found = []
    for i in range(n):
        moved = 2.0 if i > n // 2 else 0.0
        when = 1_000_000 + i - (120 if i % 97 == 0 else 0)
        features: dict[str, Any] = {
            "x": [rng.normal(moved), None, "wrong"][int(rng.choice(3, p=[0.9, 0.05, 0.05]))],
            "z": rng.lognormal(moved),
            "c": ["a", "b", "new", None][int(rng.integers(0, 4 if moved else 2))],
        }
        found.append(
            msgspec.json.encode(
                {
                    "model": {"name": models[i % len(models)], "version": "1"},
                    "timestamp": when,
                    "features": features,
                    "prediction": {"score": rng.random()},
                    "segments": {"region": ["eu", "us"][i % 2]},
                }
            )
        )
    return found


def batches(book: PlanBook) -> None:
    """Native and Arrow batches through stage 1; one event alone, and an empty poll's worth."""
    rng = np.random.default_rng(4)
    records = []
    for k, rows in enumerate((1, 500, 20, 300)):
        start = 1_100_000_000 + k * 60_000
        ms = start + np.arange(rows) * 20
        x, c = rng.normal(size=rows), rng.choice(["a", "b"], rows)
        native = {
            "model": {"name": "both", "version": "1"},
            "columns": {
                "timestamp": (ms / 1000).tolist(),
                "features": {"x": x.tolist(), "c": c.tolist()},
                "segments": {"region": ["eu"] * rows},
            },
        }
        table = pa.table(
            {
                "timestamp": ms.astype("datetime64[ms]"),
                "features.x": x,
                "features.c": c,
                "segments.region": ["us"] * rows,
            }
        )
        about = {"model.name": "both", "model.version": "1"}
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema.with_metadata(about)) as stream:
            stream.write_table(table)
        for value, kind in (
            (msgspec.json.encode(native), BATCH_CONTENT_TYPE),
            (sink.getvalue(), ARROW_CONTENT_TYPE),
        ):
            headers = (("content-type", kind.encode()),)
            records.append(FileRecord(len(records), start, value, headers=headers))
    reader = Summariser(Source("id", "predictions", 0, 1), book, NativeDecoder(book))
    reader.add(records[:1])
    reader.add(records[1:])
    assert reader.flush_idle() is not None
    assert reader.stats.events == {"both": 2 * (1 + 500 + 20 + 300)}, reader.stats


def main() -> None:
    """Warm up, work, and say what was compiled meanwhile."""
    detectors.warm_up()
    quorum.warm_up()
    before = {kernel: set(kernel.signatures) for kernel in KERNELS}
    book = plans_without_fitting()
    alerts, monitor = run_stages(book, events(), partitions=3, seed=1, snapshot_every=0.002)
    assert alerts
    monitor = reloaded(monitor, book)
    assert any(gauge.value for gauge in signal_gauges(monitor.subjects.values()))
    batches(book)
    assert PartitionMonitor(book).apply(0, b"?", 0) == []
    late = {
        f"{kernel.py_func.__module__}.{kernel.__name__}": [str(s) for s in new]
        for kernel in KERNELS
        if (new := set(kernel.signatures) - before[kernel])
    }
    used = sum(bool(kernel.signatures) for kernel in KERNELS)
    print(json.dumps({"late": late, "used": used, "alerts": len(alerts)}))


def plans_without_fitting() -> PlanBook:
    """The plans as a worker gets them: read, since references are fitted elsewhere."""
    book = PlanBook()
    for since, plan in plans():
        book.add(decode_plan(plan.encode(since))[0], since)
    return book


if __name__ == "__main__":
    main()
