"""What the page of a signal is told: its trend as a plain count gives it, and its episodes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec
import numpy as np
import pytest

from detectors.change_points.history import History
from stream.http.server import PageServer
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from stream.page.detail import segments_of
from stream.page.signal import SignalState, signal_state
from stream.page.trend import trend_of
from stream.stage2.detection import Detection
from tests.page.test_page import SECRETS, get, state_after, state_with_secrets
from tests.stream.harness import make_events, make_plan
from tests.stream.metrics.test_metrics import FileState

EVENTS = make_events(3, 3_000, drift_at=2_400)


@pytest.fixture(scope="module")
def state() -> FileState:
    return state_after(EVENTS)


@pytest.fixture(scope="module")
def server(state: FileState) -> Iterator[PageServer]:
    server = serve("127.0.0.1:0", MetricsCollector(state), state, live_pages(state))
    yield server
    server.close()


def detection_of(state: FileState) -> Detection:
    (held,) = state.replay.monitor.subjects.values()
    assert held.detection is not None
    return held.detection


def of(state: FileState, name: str) -> SignalState:
    return signal_state(state, "fraud", "1", name, 0)


def test_the_trend_is_what_a_plain_count_gives(state: FileState) -> None:
    signals = {signal.name: signal for signal in detection_of(state).plan.monitored}
    events = [json.loads(event) for event in EVENTS]
    x, z = of(state, "x").trend, of(state, "z").trend
    assert x is not None
    assert z is not None
    assert len(x.starts) > 5
    assert x.ends[:-1] == x.starts[1:]
    binning = signals["x"].binning
    scores = binning.scores(signals["x"].counts) / 65_535  # type: ignore[union-attr]
    (rank, *_), lines = x.lines, {line.name: line for line in z.lines}
    assert [line.name for line in x.lines][:2] == ["Mean rank", "Rank spread"]
    beyond = x.lines[2]
    assert beyond.name == "Where the reference has none"
    for i, (start, end) in enumerate(zip(x.starts, x.ends, strict=True)):
        within = [e["features"] for e in events if start <= e["timestamp"] * 1000 < end]
        assert x.events[i] == len(within) >= 100
        bins = binning.bin(np.array([each["x"] for each in within]))
        assert rank.values[i] == pytest.approx(scores[bins].mean())
        counts = signals["x"].counts
        assert beyond.values[i] == pytest.approx((counts[bins] == 0).mean())
        missing = np.mean([each["z"] is None for each in within])
        assert lines["Missing"].values[i] == pytest.approx(missing)
    assert rank.usual == 0.5
    first, last = rank.values[0], rank.values[-1]
    assert first is not None
    assert last is not None
    assert abs(first - 0.5) < 0.05
    assert last > 0.65
    ticks = dict(rank.ticks)
    median = signals["x"].quantiles["p50"]
    assert float(ticks[0.5].split("(")[1].rstrip(")")) == pytest.approx(median, abs=0.06)
    assert rank.low <= min(ticks) < max(ticks) <= rank.high


def test_a_look_changes_nothing(state: FileState) -> None:
    detection = detection_of(state)
    before = detection.dump()
    estimate = detection.changes.estimate(0, "psi")
    detection.changes.history.release()
    for name in ("x", "z", "c", "score"):
        of(state, name)
    assert detection.dump() == before
    detection.changes.history.add(np.zeros_like(detection.windows.last[""].counts), 0, 1)
    assert len(detection.changes.history.of(0)) == len(detection.changes.history), (
        "nothing old is kept"
    )
    detection.load(before)
    assert detection.changes.estimate(0, "psi") == estimate


def test_a_look_while_the_worker_goes_on_is_of_one_moment() -> None:
    plan = make_plan()
    history = History(plan.monitored, plan.layout)
    start = int(plan.layout.start[0])
    counts = np.zeros(plan.layout.width, np.int64)
    counts[[0, start + 3]] = 1
    over = threading.Event()

    def work() -> None:
        for at in range(3_000):
            history.add(counts, at, at + 1)
        over.set()

    worker = threading.Thread(target=work)
    worker.start()
    seen = 0
    while not over.is_set():
        try:
            trend = trend_of(history, plan.monitored, 0, hidden=False)
        except RuntimeError:  # as a page it is asked again
            continue
        if trend is not None:
            seen += 1
            assert trend.events == [b - a for a, b in zip(trend.starts, trend.ends, strict=True)]
    worker.join()
    assert seen


def test_segments_and_episodes_are_its_own(state: FileState) -> None:
    x, quiet = of(state, "x"), of(state, "c")
    assert x.found
    assert x.signal is not None
    assert x.signal.bars is not None
    assert x.signal.bars.shape is not None
    assert {row.segment for row in x.segments} == {"region=eu", "region=us"}
    assert {row.signal for row in x.segments} == {"x"}
    named = {row.id for row in state.recent.rows() if "x" in row.names}
    assert {row.id for row in x.episodes} == named
    assert x.episodes
    assert x.episodes[0].signals
    assert not {row.id for row in x.related} & named
    assert quiet.signal is not None
    assert quiet.signal.ratio < x.signal.ratio
    assert x.others == ["z", "c", "score"]


def test_segments_are_of_those_that_test_it_and_what_is_left_out_is_counted(
    state: FileState, monkeypatch: pytest.MonkeyPatch
) -> None:
    detection = detection_of(state)
    assert segments_of(detection, len(detection.plan.monitored)) == ([], 0), (
        "no other signal's ratio"
    )
    rows, more = segments_of(detection, 0)
    assert (len(rows), more) == (2, 0)
    monkeypatch.setattr("stream.page.detail.MAX_SEGMENTS", 1)
    assert segments_of(detection, 0) == (rows[:1], 1)
    assert of(state, "x").more_segments == 1


def test_related_episodes_were_open_at_that_time(state: FileState) -> None:
    first = state.first
    assert first is not None
    hour = 3_600_000

    def note(number: int, name: str, starts: int, ends: int) -> None:
        data = first.data
        signal = msgspec.structs.replace(data.signals[0], name=name, segment="")
        time = "2026-01-01T{:02d}:00:00.000Z".format
        made = msgspec.structs.replace(
            data,
            episode=f"{number:032x}",
            signals=[signal],
            starts_at=time(starts),
            ends_at=time(ends) if ends else data.ends_at,
            status="resolved" if ends else "firing",
        )
        other.recent.note(msgspec.structs.replace(first, data=made))

    other = state_after([])
    note(1, "x", 3, 5)
    note(2, "z", 1, 2)
    note(3, "z", 4, 6)
    note(4, "z", 2, 0)
    note(5, "z", 6, 7)
    said = signal_state(other, "fraud", "1", "x", hour)
    assert [row.id[-1] for row in said.episodes] == ["1"]
    assert sorted(row.id[-1] for row in said.related) == ["3", "4"]
    assert not said.found, "the worker has no such model now, and its episodes are shown"


def test_what_is_not_there_is_said(state: FileState, server: PageServer) -> None:
    assert not of(state, "nothing").found
    assert of(state, "nothing").others
    assert not signal_state(state, "nobody", "", "x", 0).found
    query = urlencode({"model": "fraud", "version": "1", "signal": "x"})
    said = json.loads(get(server, f"/api/v1/signal?{query}")[2])
    assert (said["name"], said["found"]) == ("x", True)
    assert get(server, "/signal")[0] == 200
    assert get(server, f"/api/v1/signal?signal={'x' * 600}")[0] == 400
    assert json.loads(get(server, "/api/v1/signal")[2])["found"] is False


def test_a_private_model_shows_no_values() -> None:
    private, open_ = state_with_secrets(private=True), state_with_secrets(private=False)
    for name in ("x", "c"):
        text = msgspec.json.encode(of(private, name)).decode()
        for hidden in SECRETS:
            assert hidden not in text
        assert of(private, name).trend is not None
    assert "777" in msgspec.json.encode(of(open_, "x")).decode()
