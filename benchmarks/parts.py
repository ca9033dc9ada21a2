"""The parts, one by one, in this process: what an event, a value, a summary, a test costs.

Each figure is CPU time, the best of many repeats within a round (interruptions only ever add), and
the median of the rounds. Peers do the same job with what a user has at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from river.drift import ADWIN as RiverADWIN

import detectors
from benchmarks.figures import Figure
from benchmarks.workloads import START, WORKLOADS, Workload, w1
from detectors import (
    ADWIN,
    AdwinBank,
    EDetectorBank,
    ScoreTable,
    WindowBank,
    accumulate,
    fit_reference,
)
from detectors.counting.sparse import encode_counts
from detectors.fitting.seasonal import Seasons
from stream.contracts.summary_message import (
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    encode_message,
)
from stream.decode.native import NativeDecoder
from stream.decode.values import CodeTable
from stream.plans.plan import Plan, PlanBook
from stream.publishing import Monitor
from stream.stage1.summarise import CHUNK_RECORDS, Summariser
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.panes import PaneStore

ROUNDS = 5
_BATCH = 4_000  # records of one poll
_SCOPES = 10_000


class Given(NamedTuple):
    """A record as stage 1 gets it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_type: int = 0  # a producer's word, which is the dearer kind


class Bench:
    """What all parts work on."""

    def __init__(self) -> None:
        self.workload: Workload = w1(1, CHUNK_RECORDS, 4)
        self.plan = Plan(model=self.workload.model, reference=self.workload.reference(), topic="w1")
        self.book = PlanBook()
        self.book.add(self.plan)
        self.layout = self.plan.layout
        ms = int(START.timestamp() * 1000)
        self.records = [
            Given(i, ms + i, None, value)
            for i, value in enumerate(self.workload.messages(0, 2 * CHUNK_RECORDS))
        ]
        self.numeric = np.column_stack(list(self.workload.columns(_BATCH, 5).values()))
        self.codes = np.empty((_BATCH, 0), np.int32)

    def counts(self, n: int, seed: int = 9) -> npt.NDArray[np.int64]:
        """Counts of n unchanged events."""
        values = np.column_stack(list(self.workload.columns(n, seed).values()))
        out = np.zeros((1, self.layout.width), np.int64)
        positions = self.layout.positions(values, np.empty((n, 0), np.int32))
        accumulate(positions, np.zeros(n, np.int32), out)
        return out[0]


def run() -> list[Figure]:
    """All parts but memory, printed as they come."""
    detectors.warm_up()
    bench = Bench()
    figures = []
    for part in (
        decode,
        count,
        count_categories,
        summarise,
        batches,
        encode,
        merge,
        window_test,
        sealed_pane,
        adwin,
        fit,
        log_call,
    ):
        for figure in part(bench):
            print(f"  {figure.what:<58} {figure.value:>9.3g} {figure.unit}", flush=True)
            figures.append(figure)
    return figures


def log_call(bench: Bench) -> list[Figure]:
    """One `Monitor.log` of 20 features, beside writing the same features as JSON.

    The goal of 20 us is of an idle machine; the ratio holds on any. Nothing is sent meanwhile.
    """
    values = bench.numeric[0].tolist()
    features: dict[str, Any] = {f"feature_{i:02d}": values[i % len(values)] for i in range(16)}
    features |= {f"category_{i}": "DE" for i in range(4)}
    scalars = {name: np.float64(v) if type(v) is float else v for name, v in features.items()}
    monitor = Monitor("m", bootstrap_servers="127.0.0.1:1", max_events=1_000, exit_timeout=0)
    monitor._delivery.start = lambda: None  # type: ignore[method-assign]
    said: dict[str, Any] = {"prediction": "ok", "score": 0.93, "prediction_id": "3f0c"}
    times = _in_turn(
        {
            "log": lambda: [monitor.log(features, **said) for _ in range(1_000)],
            "scalars": lambda: [monitor.log(scalars, **said) for _ in range(1_000)],
            "json.dumps": lambda: [json.dumps(features) for _ in range(1_000)],
        }
    )
    monitor.close(timeout=0)
    us = {name: [second * 1e3 for second in rounds] for name, rounds in times.items()}
    peer = {"json.dumps": median(us["json.dumps"])}
    return [
        Figure("client.log", "Monitor.log, 20 features", "us", us["log"], goal=20, peers=peer),
        Figure("client.log.numpy", "the same, scalars of numpy", "us", us["scalars"], peers=peer),
    ]


def _seconds(job: Callable[[], object], at_least_s: float = 0.15) -> list[float]:
    """Best CPU time of one call, for each round."""
    job()
    rounds = []
    for _ in range(ROUNDS):
        best, end = float("inf"), time.perf_counter() + at_least_s
        while True:
            began = time.process_time()
            job()
            best = min(best, time.process_time() - began)
            if time.perf_counter() > end:
                break
        rounds.append(best)
    return rounds


def _in_turn(jobs: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """CPU time of one call of each job, the best of three for each round, the jobs in turn."""
    rounds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            marks = [time.process_time()]
            for _ in range(3):
                job()
                marks.append(time.process_time())
            rounds[name].append(float(np.diff(marks).min()))
    return rounds


def _per(seconds: list[float], n: int, unit_s: float) -> list[float]:
    return [s / n / unit_s for s in seconds]


def _peer(job: Callable[[], object], n: int, unit_s: float) -> float:
    return Figure("", "", "", _per(_seconds(job), n, unit_s)).value


def decode(bench: Bench) -> Iterator[Figure]:
    """Bytes to columns, beside plain parsing without columns."""
    decoder = NativeDecoder(bench.book)
    batch = bench.records[:_BATCH]
    assert not decoder.decode(batch).rejects
    values = [record.value for record in batch]
    yield Figure(
        "decode",
        "decode and columns, 20 numeric features",
        "us/event",
        _per(_seconds(lambda: decoder.decode(batch)), _BATCH, 1e-6),
        peers={
            "json.loads alone": _peer(lambda: [json.loads(v) for v in values], _BATCH, 1e-6),
            "msgspec to dicts alone": _peer(
                lambda: [msgspec.json.decode(v) for v in values], _BATCH, 1e-6
            ),
        },
    )


def count(bench: Bench) -> Iterator[Figure]:
    """Values to bins and bins to counts, beside numpy's way."""
    slots = np.zeros(_BATCH, np.int32)
    out = np.zeros((1, bench.layout.width), np.int64)
    columns = [np.ascontiguousarray(bench.numeric[:, i]) for i in range(bench.numeric.shape[1])]
    edges = [signal.binning.edges for signal in bench.plan.monitored]

    def ours() -> None:
        accumulate(bench.layout.positions(bench.numeric, bench.codes), slots, out)

    def with_numpy() -> None:
        for values, cuts in zip(columns, edges, strict=True):
            np.bincount(np.searchsorted(cuts, values, side="right"), minlength=len(cuts) + 1)

    yield Figure(
        "count",
        "counting a value (positions and accumulate)",
        "ns",
        _per(_seconds(ours), bench.numeric.size, 1e-9),
        goal=5.0,
        peers={"numpy searchsorted + bincount": _peer(with_numpy, bench.numeric.size, 1e-9)},
    )


def count_categories(bench: Bench) -> Iterator[Figure]:
    """Categories from Python strings to bins to counts."""
    workload = WORKLOADS["W3"][0]
    plan = Plan(model=workload.model, reference=workload.reference(10_000))
    layout = plan.layout
    names = [layout.names[i] for i in layout.categorical]
    columns = [workload.columns(_BATCH, 5)[name].tolist() for name in names]
    tables = [CodeTable(layout.binnings[i]) for i in layout.categorical]
    numeric = np.full((_BATCH, layout.numeric.size), np.inf)
    codes = np.empty((_BATCH, len(names)), np.int32)
    slots = np.zeros(_BATCH, np.int32)
    out = np.zeros((1, layout.width), np.int64)

    def nothing() -> None:
        accumulate(layout.positions(numeric, codes), slots, out)

    def ours() -> None:
        for at, (known, column) in enumerate(zip(tables, columns, strict=True)):
            codes[:, at] = np.fromiter(map(known.__getitem__, column), np.int32, _BATCH)
        nothing()

    yield Figure(
        "count_categories",
        "counting a category from a Python string",
        "ns",
        _per(_seconds(ours), _BATCH * len(names), 1e-9),
        goal=60.0,
    )


def batches(_: Bench) -> Iterator[Figure]:
    """Stage 1 in process over batches."""
    for name in ("W6", "W7"):
        workload = replace(WORKLOADS[name][0], events=60_000)
        book = PlanBook()
        book.add(Plan(model=workload.model, reference=workload.reference(), topic="b"))
        headers = tuple(workload.headers)
        stamp = int(START.timestamp() * 1000) + 10**9
        records = [Given(i, stamp, None, v, headers) for i, v in enumerate(workload.messages())]

        def job(book: PlanBook = book, records: list[Given] = records) -> None:
            summariser = Summariser(Source("bench", "b", 0, 1), book, NativeDecoder(book))
            for at in range(0, len(records), 20):
                summariser.add(records[at : at + 20])

        yield Figure(
            f"stage1_{workload.form}",
            f"stage 1 in process: {workload.title}",
            "us/event",
            _per(_seconds(job, 0.5), workload.events, 1e-6),
        )


def summarise(bench: Bench) -> Iterator[Figure]:
    """The whole of stage 1 without Kafka: records to encoded flushes."""
    source = Source("bench", "w1", 0, 1)

    def job() -> None:
        summariser = Summariser(source, bench.book, NativeDecoder(bench.book))
        for at in range(0, len(bench.records), _BATCH):
            summariser.add(bench.records[at : at + _BATCH])

    yield Figure(
        "stage1",
        "stage 1 in process: decode, count, encode flushes",
        "us/event",
        _per(_seconds(job, 0.5), len(bench.records), 1e-6),
    )


def encode(bench: Bench) -> Iterator[Figure]:
    """One summary to bytes: 20 signals, a pane of 1,000 events."""
    counts = bench.counts(1_000)
    plain = _peer(lambda: msgspec.msgpack.encode(counts.tolist()), 1, 1e-6)
    yield Figure(
        "encode",
        "encode a summary of 20 signals",
        "us",
        _per(_seconds(lambda: encode_counts(counts)), 1, 1e-6),
        peers={"msgpack of the dense counts": plain},
    )
    yield Figure(
        "summary_bytes",
        "size of a summary of 20 signals, 1,000 events",
        "bytes",
        [float(len(encode_counts(counts)))],
        peers={"msgpack of the dense counts": len(msgspec.msgpack.encode(counts.tolist()))},
    )


def merge(bench: Bench) -> Iterator[Figure]:
    """Summaries of eight partitions into one pane, and the pane sealed."""
    encoded = [encode_counts(bench.counts(500, seed)) for seed in range(8)]
    merge_rule = bench.plan.merge_rule

    def job() -> None:
        store = PaneStore()
        for partition, counts in enumerate(encoded):
            store.offer(partition, 0, 499, "", 0, counts, merge_rule)
        store.seal(0, merge_rule)

    yield Figure(
        "merge",
        "merge a summary of 20 signals into its pane and seal",
        "us",
        _per(_seconds(job), len(encoded), 1e-6),
    )


def sealed_pane(bench: Bench) -> Iterator[Figure]:
    """All that stage 2 does with a pane of one model, on average over many panes.

    One summary from each of four partitions and their progress: decode, merge, seal, sequential
    tests, and a window's tests where one is full.
    """
    panes, partitions = 200, 4
    sources = [Source("bench", "w1", p, partitions) for p in range(partitions)]
    some = [encode_counts(bench.counts(250, seed)) for seed in range(211)]
    model, short = bench.plan.model, bench.plan.short_hash

    def messages() -> Iterator[bytes]:
        for t in range(panes):
            pane_ms, chunk = 1_700_000_000_000 + t * bench.plan.pane_ms, t * 1_000
            for p, source in enumerate(sources):
                entry = SummaryEntry("", pane_ms, some[(4 * t + p) % len(some)])
                yield encode_message(
                    SummaryBatch(source, chunk, chunk + 999, model, "1", short, 0, [entry])
                )
            for source in sources:
                newest = pane_ms + bench.plan.pane_ms + bench.plan.lateness_ms
                yield encode_message(Progress(source, chunk, chunk + 999, newest))

    log = list(messages())

    def job() -> None:
        monitor = PartitionMonitor(bench.book)
        for offset, message in enumerate(log):
            monitor.apply(offset, message, 0, plans_current=True)
        (held,) = monitor.subjects.values()
        assert held.panes_sealed >= panes - 2

    yield Figure(
        "stage2_pane",
        "stage 2 in process: a sealed pane of 20 signals, 4 partitions",
        "us",
        _per(_seconds(job, 0.5), panes, 1e-6),
    )


def window_test(bench: Bench) -> Iterator[Figure]:
    """Every windowed test of 20 signals on one window, beside scipy's two-sample KS."""
    from scipy.stats import ks_2samp

    bank = WindowBank(bench.plan.monitored, bench.layout)
    counts = bench.counts(1_000)
    n_signals = len(bench.plan.monitored)
    columns = bench.workload.columns(1_000, 9)
    reference = bench.workload.columns(10_000, 0)

    def with_scipy() -> None:
        for name, values in columns.items():
            ks_2samp(reference[name], values, method="asymp")

    yield Figure(
        "window_test",
        "windowed tests of a signal, window of 1,000 events",
        "us",
        _per(_seconds(lambda: bank.test(counts, 1e-6)), n_signals, 1e-6),
        peers={"scipy ks_2samp, raw values": _peer(with_scipy, n_signals, 1e-6)},
    )


def adwin(bench: Bench) -> Iterator[Figure]:
    """ADWIN by panes over many slots, and value by value beside river."""
    table = ScoreTable(bench.plan.monitored, bench.layout)
    panes = [table.moments(bench.counts(1_000, seed)) for seed in range(20, 40)]
    counts = bench.counts(1_000)
    yield Figure(
        "moments",
        "scores of a pane from its counts, a signal",
        "ns",
        _per(_seconds(lambda: table.moments(counts)), len(bench.plan.monitored), 1e-9),
    )
    repeat = _SCOPES // panes[0][0].size
    wide = [tuple(np.tile(a.ravel(), repeat) for a in pane) for pane in panes]
    slots = wide[0][0].size
    bank = AdwinBank(slots, 1e-9, np.ones(slots))

    def feed() -> None:
        for n, s1, s2 in wide:
            bank.update(n, s1, s2)

    yield Figure(
        "adwin_pane",
        f"ADWIN, pane form, {slots:,} slots: a slot and pane",
        "ns",
        _per(_seconds(feed, 0.5), slots * len(wide), 1e-9),
        goal=500.0,
    )
    yield from _many_signals(bench)
    yield from _adwin_items()


def _many_signals(bench: Bench) -> Iterator[Figure]:
    """PSI and e-detectors of 10,000 signals, those of the workload again and again."""
    base = bench.plan.monitored
    signals = [replace(base[i % len(base)], name=f"s{i}") for i in range(_SCOPES)]
    counts = bench.counts(1_000)
    wide = np.concatenate([counts[:1], np.tile(counts[1:], _SCOPES // len(base))])
    psi = WindowBank(signals, tests={signal.name: ("psi",) for signal in signals})
    e = EDetectorBank(signals, threshold=1e6)
    took = _in_turn({"psi": lambda: psi.test(wide, 1e-6), "e": lambda: e.update(wide)})
    yield Figure(
        "psi_pane",
        f"PSI, {_SCOPES:,} signals: a signal and window",
        "ns",
        _per(took["psi"], _SCOPES, 1e-9),
        goal=300.0,
    )
    yield Figure(
        "edetector_pane",
        f"e-detector x+y, {_SCOPES:,} signals: a signal and pane",
        "ns",
        _per(took["e"], _SCOPES, 1e-9),
        goal=1_200.0,
    )


def _adwin_items() -> Iterator[Figure]:
    """ADWIN value by value: over an array, and from Python as river's, which is run in turn."""
    values = np.random.default_rng(3).random(100_000)
    plain = values.tolist()

    def over_array() -> None:
        ADWIN(0.002, reset="oldest").update_many(values)

    def one_by_one(make: Callable[..., Any]) -> None:
        detector = make(delta=0.002)
        for value in plain:
            detector.update(value)
            if detector.drift_detected:
                raise RuntimeError("no change was there to be found")

    took = _in_turn(
        {
            "array": over_array,
            "update": lambda: one_by_one(ADWIN),
            "river": lambda: one_by_one(RiverADWIN),
        }
    )
    each = {name: _per(seconds, len(plain), 1e-9) for name, seconds in took.items()}
    river = {"river ADWIN.update": median(each["river"])}
    yield Figure(
        "adwin_item",
        "ADWIN, item form, arrays: a value",
        "ns",
        each["array"],
        goal=30.0,
        peers=river,
    )
    yield Figure(
        "adwin_times",
        "ADWIN, item form: river's time over ours",
        "times",
        [theirs / ours for theirs, ours in zip(each["river"], each["array"], strict=True)],
        better="higher",
        goal=5.0,
    )
    yield Figure(
        "adwin_update",
        "ADWIN, item form, `update` from Python: a value",
        "ns",
        each["update"],
        peers=river,
    )


def fit(_: Bench) -> Iterator[Figure]:
    """A reference of rows in memory, a number of ways: what a person waits for."""
    rows, step_ms = 10_000, 240_000  # four weeks
    columns = {data: WORKLOADS[data][0].columns(rows, 0) for data in ("W1", "W3")}
    given = {
        data: {name: v.tolist() if v.dtype == object else v for name, v in of.items()}
        for data, of in columns.items()
    }
    times = step_ms * np.arange(rows, dtype=np.int64)
    for key, what, data, more in (
        ("fit", "", "W1", {"times_ms": times, "seasons": Seasons("off")}),
        ("fit_untimed", ", without times", "W1", {}),
        ("fit_looked", ", seasons looked for", "W1", {"times_ms": times, "seasons": Seasons()}),
        ("fit_slots", ", with slots", "W1", {"times_ms": times, "seasons": Seasons("auto")}),
        ("fit_names", ", 8 of names, 5 % missing", "W3", {"times_ms": times}),
    ):

        def job(data: str = data, more: dict[str, Any] = more) -> None:
            fit_reference(given[data], model="m", **more)

        yield Figure(
            key, f"fit: a reference of 10,000 rows x 20{what}", "ms", _per(_seconds(job), 1, 1e-3)
        )


def run_memory() -> list[Figure]:
    """Scopes through the real monitor: as models, and as segments of one."""
    figures = []
    for key, what, models, segments, signals in (
        ("models", "1,000 models x 20 signals, all tests", 1_000, 0, 20),
        ("wide", "1,000 models x 50 signals, all tests", 1_000, 0, 50),
        ("segments", "1 model x 1,000 segments x 20 signals", 1, 1_000, 20),
        ("versions", "1,000 versions of a model x 20 signals", -1_000, 0, 20),
    ):
        found = _memory(models, segments, signals)
        n = max(abs(models), segments)
        if found["tested"] < n:
            raise RuntimeError(f"{what}: only {found['tested']} scopes were tested: {found}")
        each = (found["after"] - found["before"]) / 1000 / n
        for figure in (
            Figure(
                f"memory_{key}", f"memory of {what}", "MiB", [found["after"] / 2**20], goal=1_024.0
            ),
            Figure(
                f"memory_{key}_each",
                f"memory of one of {what}",
                "KB",
                [each],
                goal=None if models > 0 and not segments else 160.0,
            ),
        ):
            print(f"  {figure.what:<58} {figure.value:>9.3g} {figure.unit}", flush=True)
            figures.append(figure)
    return figures


def _memory(*arguments: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
