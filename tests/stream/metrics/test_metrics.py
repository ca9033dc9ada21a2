"""The metrics page says what is true of the monitors behind it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from detectors import fit_reference
from stream.alerts.silences import Silence
from stream.contracts.alert_event import AlertEvent, parse_time
from stream.contracts.moments import MINUS_INFINITY
from stream.decode.record import FileRecord
from stream.metrics import MetricsCollector, serve
from stream.metrics.bin_shares import shares
from stream.metrics.delays import BOUNDS_S, Delays
from stream.metrics.gauges import OTHER, Gauge, bounded
from stream.metrics.status_protocol import PartitionClock
from stream.page import RecentEpisodes
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.stage1.watermark import BY_PRODUCER, NO_TIME
from stream.stage2.subject import SubjectMonitor
from stream.worker.worker_status import WorkerStatus

#: The parser sorts labels by name; here they are in the order of the contract.
ORDER = ("model", "model_version", "topic", "partition", "segment", "signal", "test", "q", "bin",
         "window", "environment", "episode", "summary", "kind", "severity", "status", "outcome",
         "reason", "type", "version", "python", "le")  # fmt: skip
START_MS = 1_772_323_200_000


@dataclass
class FileState:
    """A replay in the place of a worker: the same objects behind the page."""

    replay: Replay
    alerts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    last_episodes: dict[tuple[str, str, str, str], tuple[str, float]] = field(default_factory=dict)
    batches: int = 3
    batch_seconds: float = 0.5
    delays: Delays = field(default_factory=Delays)
    is_ready: bool = True
    opened: int = 0
    stage: str = "all"
    gaps: int = 0
    absent: dict[str, list[str]] = field(default_factory=lambda: {"old": ["churn", "loans"]})
    recent: RecentEpisodes = field(default_factory=RecentEpisodes)
    silences: Sequence[Silence] = ()
    alerts_unread: str = ""
    alerts_lost: int = 0
    first: AlertEvent | None = None

    def count(self, alert: AlertEvent) -> None:
        data = alert.data
        self.alerts[data.labels.model, data.labels.kind, data.severity, data.status] += 1
        key = (data.labels.model, data.labels.kind, data.severity, data.status)
        self.last_episodes[key] = (data.episode, 1000.5)
        self.delays.add(7.5)
        self.opened += data.revision == 1
        self.recent.note(alert)
        self.first = self.first or alert

    def telling(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        return self.recent.telling()

    def lag(self) -> dict[tuple[str, int], int]:
        return {("predictions", 0): 7}

    def watermarks_ms(self) -> dict[tuple[str, int], int]:
        reached = self.replay.summariser.stats.watermark_ms
        return {("predictions", 0): reached} if reached > MINUS_INFINITY else {}

    def clocks(self) -> dict[tuple[str, int], PartitionClock]:
        stats = self.replay.summariser.stats
        if stats.clock is None:  # before the first event
            return {}
        clock = PartitionClock(stats.max_time_ms, stats.clock.type, stats.clock.spread_ms)
        return {("predictions", 0): clock}

    def snapshots_s(self) -> dict[tuple[str, int], float]:
        return {("driftstream.summaries", 0): 1000.5}

    def stopped(self) -> dict[tuple[str, int], tuple[str, int]]:
        return {("predictions", 1): ("corrupt", 0)}

    def joins(self) -> list[Any]:
        return []

    def stage1_stats(self) -> list[Any]:
        return [self.replay.summariser.stats]

    def monitors(self) -> list[Any]:
        return [self.replay.monitor]

    def healthy(self) -> tuple[bool, str]:
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "1 partition" if self.is_ready else "joining the group"


def columns(n: int, seed: int, shift: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    amount = rng.normal(shift, 1, n)
    amount[rng.random(n) < 0.1] = np.nan
    return {"amount": amount, "country": rng.choice(["DE", "FR"], n).tolist()}


def records(n: int, seed: int, shift: float) -> Iterator[FileRecord]:
    data = columns(n, seed, shift)
    encode = msgspec.json.Encoder().encode
    for i in range(n):
        event = {
            "model": {"name": "fraud", "version": "3"},
            "timestamp": (START_MS + i * 100) / 1000,
            "features": {
                "amount": None if np.isnan(data["amount"][i]) else float(data["amount"][i]),
                "country": data["country"][i],
            },
            "segments": {"region": "eu" if i % 4 else "us"},
        }
        yield FileRecord(i, 0, encode(event))
    yield FileRecord(n, 0, b"{")
    late = {
        "model": {"name": "fraud", "version": "3"},
        "timestamp": START_MS / 1000,
        "features": {"amount": "x"},
    }
    yield FileRecord(n + 1, 0, encode(late))


@pytest.fixture(scope="module")
def state() -> FileState:
    times = START_MS - 10_000_000 + np.arange(20_000, dtype=np.int64) * 100
    reference = fit_reference(columns(20_000, 0, 0.0), model="fraud", times_ms=times)
    book = PlanBook()
    book.add(Plan(model="fraud", reference=reference, segments=("region",), window_events=1000))
    state = FileState(Replay(book))
    for alert in state.replay.run(records(5_500, 1, 0.5)):
        state.count(alert)
    return state


@pytest.fixture(scope="module")
def samples(state: FileState) -> dict[str, dict[tuple[str, ...], float]]:
    """family -> label values -> value, as Prometheus reads the page."""
    server = serve(
        "127.0.0.1:0", MetricsCollector(state, clock=lambda: START_MS / 1000 + 1e4), state
    )
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as page:
            text = page.read().decode()
    finally:
        server.close()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("driftstream_"), {})[
                tuple(sample.labels[name] for name in ORDER if name in sample.labels)
            ] = sample.value
    return found


def test_counters(state: FileState, samples: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert samples["events_total"] == {("fraud", "counted"): 5_500, ("fraud", "late"): 1}
    assert samples["late_events_total"] == {("fraud",): 1}
    assert samples["rejected_total"] == {("undecodable",): 1}
    assert samples["invalid_values_total"] == {(): 1}
    assert samples["batch_duration_seconds_count"] == {(): 3}
    assert samples["batch_duration_seconds_sum"] == {(): 0.5}
    assert samples["alerts_total"] == dict(state.alerts)
    assert samples["series_dropped_total"] == {(): 0}


#: docs: the families that dashboards and rules may rely on, each with its labels.
CONTRACT = {
    "events_total": "model outcome",
    "events_judged_total": "model model_version outcome",
    "versions_folded_total": "model",
    "versions_retired_total": "model reason",
    "rejected_total": "reason",
    "late_events_total": "model",
    "events_ahead_total": "model",
    "event_lead_seconds": "model",
    "newest_event_timestamp_seconds": "topic partition",
    "clock_spread_seconds": "topic partition",
    "record_time": "topic type",
    "batch_duration_seconds_count": "",
    "batch_duration_seconds_sum": "",
    "event_age_seconds": "topic",
    "consumer_lag_records": "topic partition",
    "watermark_timestamp_seconds": "topic partition",
    "partition_stopped_offset": "topic partition reason",
    "topic_absent": "model topic",
    "snapshot_timestamp_seconds": "topic partition",
    "detection_delay_seconds_bucket": "le",
    "detection_delay_seconds_sum": "",
    "detection_delay_seconds_count": "",
    "drift_score": "model model_version segment signal test",
    "drift_threshold": "model model_version segment signal test",
    "untested": "model model_version segment signal reason",
    "signal_missing_ratio": "model model_version segment signal",
    "signal_mean": "model model_version segment signal",
    "signal_quantile": "model model_version segment signal q",
    "signal_bin_share": "model model_version segment signal bin",
    "signal_bin_reference_share": "model model_version segment signal bin",
    "window_events": "model model_version segment window",
    "window_end_timestamp_seconds": "model model_version segment",
    "budget_false_alarms_per_week": "model model_version",
    "budget_spent_ratio": "model model_version",
    "alarm_time_ratio": "model model_version",
    "declared_loss_total": "",
    "summaries_refused_total": "reason",
    "alert_active": "model model_version kind severity",
    "alerts_total": "model kind severity status",
    "series_dropped_total": "",
    "build_info": "version python environment",
    "alert_info": "model model_version kind severity episode summary",
}


def test_every_family_of_the_contract_is_there(state: FileState) -> None:
    stats = state.replay.summariser.stats
    assert stats.clock is not None
    state.replay.monitor.refused["undecodable"] = 2  # what has never happened has no series
    (held,) = state.replay.monitor.subjects.values()
    assert held.detection is not None
    held.detection.skipped.windows[""] = 1
    stats.ahead["fraud"], stats.lead_ms, stats.clock.type = 3, {"fraud": 20_000}, BY_PRODUCER
    stats.versions_folded["fraud"] = state.replay.monitor.retired["fraud", "bound"] = 1
    try:
        families = list(MetricsCollector(state).collect())
    finally:
        held.detection.skipped.windows.clear()
        state.replay.monitor.refused.clear()
        state.replay.monitor.retired.clear()
        stats.versions_folded.clear()
        stats.ahead.clear()
        stats.lead_ms, stats.clock.type = {}, NO_TIME
    labels = {
        sample.name.removeprefix("driftstream_"): set(sample.labels)
        for family in families
        for sample in family.samples
    }
    assert {name: labels.get(name) for name in CONTRACT} == {
        name: set(said.split()) for name, said in CONTRACT.items()
    }


def test_detection_delay_and_budget(
    state: FileState, samples: dict[str, dict[tuple[str, ...], float]]
) -> None:
    n = sum(state.alerts.values())
    assert n
    delays = samples["detection_delay_seconds_bucket"]
    assert len(delays) == len(BOUNDS_S) + 1
    assert (delays["5.0",], delays["10.0",], delays["+Inf",]) == (0, n, n)
    assert samples["detection_delay_seconds_sum"] == {(): 7.5 * n}
    assert state.opened
    assert samples["budget_spent_ratio"] == {("fraud", "3"): state.opened / 1.0}


def test_what_fires_is_told_in_the_words_of_its_newest_alert(
    state: FileState, samples: dict[str, dict[tuple[str, ...], float]]
) -> None:
    (row,) = [row for row in state.recent.rows() if not row.ends]
    assert "'amount'" in row.summary
    key = ("fraud", "3", row.id[:8], row.summary, "data_drift", row.severity)
    assert samples["alert_info"] == {key: 1}


def test_an_episode_from_before_the_worker_began_is_there_without_words(state: FileState) -> None:
    recent, state.recent = state.recent, RecentEpisodes()
    try:
        (info,) = [f for f in MetricsCollector(state).collect() if "alert_info" in f.name]
    finally:
        state.recent = recent
    (sample,) = info.samples
    assert sample.labels["kind"] == "data_drift"
    assert "`driftstream alerts` has the words" in sample.labels["summary"]


def test_the_budget_is_of_the_week_and_survives_a_snapshot(state: FileState) -> None:
    (held,) = state.replay.monitor.subjects.values()
    again = SubjectMonitor.load(held.dump(), state.replay.monitor.plans)
    assert again.opened_this_week == held.opened_this_week == state.opened
    again.frontier_ms += 7 * 86_400_000
    assert again.opened_this_week == 0


def test_time_in_alarm_survives_a_snapshot(
    state: FileState, samples: dict[str, dict[tuple[str, ...], float]]
) -> None:
    (held,) = state.replay.monitor.subjects.values()
    again = SubjectMonitor.load(held.dump(), state.replay.monitor.plans)
    assert again.alarms == held.alarms
    assert 0.0 < held.alarms.in_alarm / held.alarms.panes < 1.0
    assert samples["alarm_time_ratio"] == {("fraud", "3"): held.alarms.ratio}


def test_a_worker_notes_how_late_its_alerts_are(state: FileState) -> None:
    alert = state.first
    assert alert is not None
    status = WorkerStatus("all", 1, clock=lambda: parse_time(alert.time) / 1000 + 42.0)
    status.count_alert(alert)
    buckets, total = status.delays.read()
    assert dict(buckets)["30.0"] == 0
    assert dict(buckets)["60.0"] == 1
    assert total == pytest.approx(42.0)


def test_partitions(samples: dict[str, dict[tuple[str, ...], float]]) -> None:
    assert samples["consumer_lag_records"] == {("predictions", "0"): 7}
    newest = START_MS / 1000 + 549.9
    assert samples["newest_event_timestamp_seconds"] == {("predictions", "0"): newest}
    assert samples["record_time"] == {("predictions", "none"): 1}
    assert samples["watermark_timestamp_seconds"] == {("predictions", "0"): newest}
    assert samples["event_age_seconds"] == {("predictions",): pytest.approx(1e4 - 549.9)}
    assert samples["snapshot_timestamp_seconds"] == {("driftstream.summaries", "0"): 1000.5}
    assert samples["partition_stopped_offset"] == {("predictions", "1", "corrupt"): 0}
    assert samples["topic_absent"] == {("churn", "old"): 1, ("loans", "old"): 1}


def test_signals(state: FileState, samples: dict[str, dict[tuple[str, ...], float]]) -> None:
    key = ("fraud", "3", "", "amount", "psi")
    score, threshold = samples["drift_score"][key], samples["drift_threshold"][key]
    (subject,) = state.replay.monitor.subjects.values()
    assert subject.detection is not None
    result = subject.detection.results[""]
    row = next(i for i, t in enumerate(result.tests) if t == "psi" and result.signal[i] == 0)
    assert (score, threshold) == (result.value[row], result.threshold[row])
    assert score > threshold
    assert (
        samples["drift_score"]["fraud", "3", "", "country", "psi"]
        < (samples["drift_threshold"]["fraud", "3", "", "country", "psi"])
    )
    assert samples["alert_active"]["fraud", "3", "data_drift", "warning"] == 1
    assert samples["budget_false_alarms_per_week"] == {("fraud", "3"): 1.0}


def test_display_values_are_close_to_the_data(
    samples: dict[str, dict[tuple[str, ...], float]],
) -> None:
    amount = columns(5_500, 1, 0.5)["amount"]
    last = amount[4_000:5_000]  # some window of the changed stream
    assert samples["signal_mean"]["fraud", "3", "", "amount"] == pytest.approx(
        np.nanmean(last), abs=0.12
    )
    assert samples["signal_missing_ratio"]["fraud", "3", "", "amount"] == pytest.approx(
        0.1, abs=0.04
    )
    median = samples["signal_quantile"]["fraud", "3", "", "amount", "0.5"]
    assert median == pytest.approx(np.nanmedian(last), abs=0.15)
    assert ("fraud", "3", "", "country") not in samples["signal_mean"]


def test_windows(state: FileState, samples: dict[str, dict[tuple[str, ...], float]]) -> None:
    windows = samples["window_events"]
    assert windows["fraud", "3", "", "full"] >= 1000
    assert ("fraud", "3", "region=eu", "full") in windows
    (subject,) = state.replay.monitor.subjects.values()
    ends = {name: window.end_ms / 1000 for name, window in subject.detection.windows.last.items()}
    dated = samples["window_end_timestamp_seconds"]
    assert dated == {("fraud", "3", name): seconds for name, seconds in ends.items()}
    assert samples["frontier_timestamp_seconds"] == {("fraud", "3"): subject.frontier_ms / 1000}


def test_subjects_that_are_given_up_take_their_series_along(state: FileState) -> None:
    class Nothing(FileState):
        def monitors(self) -> list[Any]:
            return []

    families = MetricsCollector(Nothing(state.replay)).collect()
    names = {sample.name for family in families for sample in family.samples}
    assert "driftstream_drift_score" not in names
    assert "driftstream_events_total" in names


def test_too_many_series_keep_what_drifts(state: FileState) -> None:
    everything = MetricsCollector(state)
    few = MetricsCollector(state, max_series=10)
    names = {*_SIGNALS, "driftstream_untested"}
    count = sum(len(f.samples) for f in everything.collect() if f.name in names)
    kept = [s for f in few.collect() if f.name in names for s in f.samples]
    others = [s for s in kept if s.labels["segment"] == OTHER]
    assert len(kept) - len(others) == 10
    assert ("amount", "") in {(s.labels.get("signal"), s.labels["segment"]) for s in kept}
    (dropped,) = [s.value for f in few.collect() for s in f.samples if "dropped_total" in s.name]
    assert dropped == count - 10


_SIGNALS = {"driftstream_drift_score", "driftstream_drift_threshold", "driftstream_signal_mean",
            "driftstream_signal_missing_ratio", "driftstream_signal_quantile",
            "driftstream_signal_bin_share", "driftstream_signal_bin_reference_share",
            "driftstream_window_events", "driftstream_window_end_timestamp_seconds"}  # fmt: skip


def test_bins_of_the_leading_signals(
    state: FileState, samples: dict[str, dict[tuple[str, ...], float]]
) -> None:
    window, reference = samples["signal_bin_share"], samples["signal_bin_reference_share"]
    assert window.keys() == reference.keys()
    amount = {key[-1]: value for key, value in window.items() if "amount" in key}
    assert sum(amount.values()) == pytest.approx(1)
    names = sorted(amount)
    assert names[0].startswith("01 below ")
    assert names[9].startswith("10 from ")
    assert [name[3:] for name in names[10:]] == ["missing", "invalid"]
    amount_before = {key[-1]: value for key, value in reference.items() if "amount" in key}
    assert all(0.08 < amount_before[name] < 0.1 for name in names[:10]), "of about equal weight"
    assert amount[names[0]] < amount_before[names[0]], "amounts rose"
    assert {key[-1] for key in window if "country" in key} == {
        "01 DE",
        "02 FR",
        "03 other",
        "04 unseen",
        "05 missing",
        "06 invalid",
    }


def test_names_of_bins_do_not_follow_the_window() -> None:
    reference = fit_reference(columns(2_000, 0, 0.0), model="fraud")
    for signal in reference.signals:
        here = [name for name, _, _ in shares(signal, signal.counts, False)]
        moved = np.roll(signal.counts, 7)
        assert [name for name, _, _ in shares(signal, moved, False)] == here
        hidden = [name for name, _, _ in shares(signal, moved, True)]
        assert hidden == [f"{i:02d}" for i in range(1, len(here) + 1)]


def test_private_models_show_no_values(state: FileState) -> None:
    times = START_MS - 10_000_000 + np.arange(20_000, dtype=np.int64) * 100
    reference = fit_reference(columns(20_000, 0, 0.0), model="fraud", times_ms=times)
    book = PlanBook()
    book.add(Plan(model="fraud", reference=reference, segments=("region",), private=True))
    hidden = FileState(Replay(book))
    list(hidden.replay.run(records(3_000, 1, 0.5)))
    found = list(MetricsCollector(hidden).collect())
    names = {s.name for family in found for s in family.samples}
    assert "driftstream_drift_score" in names
    assert not names & {"driftstream_signal_mean", "driftstream_signal_quantile"}
    text = repr([s.labels for family in found for s in family.samples])
    assert "region" not in text
    assert "DE" not in text


def test_alerts_have_their_episode_as_exemplar(state: FileState) -> None:
    server = serve("127.0.0.1:0", MetricsCollector(state), state)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/metrics",
            headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        )
        with urllib.request.urlopen(request) as page:
            text = page.read().decode()
    finally:
        server.close()
    found = [
        sample
        for family in openmetrics.text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "driftstream_alerts_total"
    ]
    assert found
    for sample in found:
        key = tuple(sample.labels[name] for name in ("model", "kind", "severity", "status"))
        assert sample.exemplar is not None
        assert sample.exemplar.labels == {"episode": state.last_episodes[key][0]}


def test_two_thousand_segments_stay_within_the_cap(state: FileState) -> None:
    (held,) = state.replay.monitor.subjects.values()
    detection = held.detection
    assert detection is not None
    last, results = detection.windows.last, detection.results
    before = dict(last), dict(results)
    closed, result = last["region=eu"], results["region=eu"]
    for i in range(2_000):
        last[f"region=r{i}"] = closed._replace(segment=f"region=r{i}")
        results[f"region=r{i}"] = result
    try:
        families = list(MetricsCollector(state, max_series=1_000).collect())
    finally:
        for live, was in zip((last, results), before):
            live.clear()
            live.update(was)
    samples = [sample for family in families for sample in family.samples]
    capped = [s for s in samples if "segment" in s.labels and s.labels["segment"] != OTHER]
    assert len(capped) == 1_000
    assert len(samples) < 1_000 + 150
    (dropped,) = [s.value for s in samples if s.name == "driftstream_series_dropped_total"]
    assert dropped > 2_000 * 5
    # What is said of the whole stream is all there.
    whole = {s.name for s in capped if s.labels["segment"] == ""}
    assert whole >= _SIGNALS


def test_other_stands_for_the_worst_of_the_rest() -> None:
    def gauge(signal: str, value: float) -> Gauge:
        return Gauge("drift_score", "m", "1", "s=x", signal, "psi", value, value)

    kept, dropped = bounded([gauge("a", 0.1), gauge("b", 0.9), gauge("c", 0.5)], 1)
    assert dropped == 2
    assert [(g.signal, g.segment, g.value) for g in kept] == [
        ("b", "s=x", 0.9),
        (OTHER, OTHER, 0.5),
    ]


def test_health_pages(state: FileState) -> None:
    server = serve("127.0.0.1:0", MetricsCollector(state), state)
    url = f"http://127.0.0.1:{server.port}"
    try:
        assert urllib.request.urlopen(f"{url}/healthz").read() == b"alive\n"
        assert urllib.request.urlopen(f"{url}/readyz").status == 200
        state.is_ready = False
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/readyz")
        assert caught.value.code == 503
        assert caught.value.read() == b"joining the group\n"
        caught.value.close()
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/table")
        assert caught.value.code == 404
        caught.value.close()
    finally:
        state.is_ready = True
        server.close()


def test_an_address_in_use_is_said(state: FileState) -> None:
    server = serve("127.0.0.1:0", MetricsCollector(state), state)
    try:
        assert server.url == f"http://127.0.0.1:{server.port}/"
        with pytest.raises(OSError, match=r"^worker\.metrics_address: cannot listen on") as caught:
            serve(f"127.0.0.1:{server.port}", MetricsCollector(state), state)
        words = str(caught.value)
        assert "perhaps by another worker. Choose another port there, or 0 for any" in words
        assert f"ss -ltnp 'sport = :{server.port}'" in words
        with pytest.raises(OSError, match=r"^--metrics-address: cannot listen on [^;]*\.$"):
            serve("192.0.2.1:0", MetricsCollector(state), state, setting="--metrics-address")
    finally:
        server.close()
