"""`Monitor` where no broker is: it never raises and never waits, unless asked, and keeps count."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from driftstream import DroppedEventError, InvalidEventError, Monitor, MonitorMiddleware
from stream.publishing.outbox import Message
from stream.publishing.quiet_kafka import OneAMinute
from tests.stream.decode_tools import NOW, NOW_MS, Rec, decode

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """Threads that are still connecting end here: they would draw at random beside other tests."""
    yield
    for thread in threading.enumerate():
        if thread.name == "driftstream-monitor":
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture
def made() -> Iterator[list[Monitor]]:
    monitors: list[Monitor] = []
    yield monitors
    for monitor in monitors:
        monitor._strict = False
        monitor.close(timeout=0)


@pytest.fixture
def monitor(made: list[Monitor]) -> Monitor:
    made.append(Monitor("fraud", "3", bootstrap_servers=NOBODY))
    return made[-1]


@pytest.fixture
def strict(made: list[Monitor]) -> Monitor:
    made.append(
        Monitor(
            "fraud",
            bootstrap_servers=NOBODY,
            strict=True,
            max_events=5,
            when_full="drop_newest",
            max_message_bytes=2_000,
        )
    )
    return made[-1]


def messages(monitor: Monitor) -> list[Message]:
    """What waits: nobody answers, so nothing is ever on its way."""
    return [message for _, message in monitor._outbox.take(10**9)]


def documents(monitor: Monitor) -> list[dict[str, Any]]:
    return [json.loads(message.value) for message in messages(monitor)]


def records(monitor: Monitor) -> list[Rec]:
    return [
        Rec(message.value, i, headers=tuple(message.headers))
        for i, message in enumerate(messages(monitor))
    ]


# ---- one event


def test_bad_events_are_counted_told_once_and_cost_no_other(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert not monitor.log()
        assert not monitor.log([1, 2])
        assert not monitor.log({"x": 1}, timestamp="yesterday")
        assert not monitor.log({"x": "y" * 2_000_000})
        assert not monitor.log({"x": 1}, prediction_id=True)
    assert monitor.log({"x": 1})
    assert monitor.log({"x": object()})
    stats = monitor.stats()
    assert (stats.logged, stats.queued) == (17, 2)
    assert stats.dropped == {"invalid": 12, "too_large": 3}
    assert stats.unserialisable == {"object": 1}
    ours = [r.getMessage() for r in caplog.records if r.name == "driftstream"]
    assert len([line for line in ours if "an event was dropped" in line]) == 4
    assert len([line for line in ours if "an event of more than 1,000,000 bytes" in line]) == 1


def test_many_wrong_values_of_a_kind_are_one_line(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(100):
        monitor.log({"x": 1}, timestamp=f"no time {i}")
    assert len([r for r in caplog.records if "is no time" in r.getMessage()]) == 1
    assert "no time 99" in monitor.stats().last_error


def test_a_strict_monitor_raises(strict: Monitor) -> None:
    with pytest.raises(InvalidEventError, match="needs features"):
        strict.log()
    with pytest.raises(InvalidEventError, match="ZeroDivisionError"):
        strict.log(Hostile())
    with pytest.raises(DroppedEventError, match="more than 2,000 bytes"):
        strict.log({"x": "y" * 3_000})
    for i in range(5):
        strict.log({"x": i})
    with pytest.raises(DroppedEventError, match="no room for more than 5 events") as raised:
        strict.log({"x": 5})
    assert raised.value.reason == "queue_full"
    with pytest.raises(DroppedEventError, match="closed with 5 events unsent"):
        strict.close(timeout=0)
    with pytest.raises(DroppedEventError, match="was closed before"):
        strict.log({"x": 6})


class Hostile(dict):  # type: ignore[type-arg]
    """Features of somebody's own, with a bug."""

    def items(self) -> Any:
        raise ZeroDivisionError


def test_a_bug_in_the_callers_own_types_stays_out_of_the_callers_way(monitor: Monitor) -> None:
    assert not monitor.log(Hostile())
    assert "ZeroDivisionError" in monitor.stats().last_error


def test_features_may_be_changed_after_the_call(monitor: Monitor) -> None:
    features = {"x": 1}
    monitor.log(features)
    features["x"] = 2
    assert documents(monitor)[0]["features"] == {"x": 1}


def test_after_close_events_are_dropped_and_counted(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    assert monitor.log({"x": 1})
    assert monitor.close(timeout=0) == 1
    for _ in range(3):
        assert not monitor.log({"x": 2})
    assert monitor.stats().dropped == {"unsent_at_close": 1, "closed": 3}
    assert monitor.close() == 0
    told = [r.getMessage() for r in caplog.records if r.name == "driftstream"]
    assert len([line for line in told if "closed with 1 event unsent" in line]) == 1
    assert len([line for line in told if "was closed before" in line]) == 1


def test_in_a_loop_a_full_queue_lets_others_run(made: list[Monitor]) -> None:
    monitor = Monitor("m", bootstrap_servers=NOBODY, max_events=1, when_full="block")
    made.append(monitor)

    async def serve() -> int:
        assert await monitor.alog({"x": 1})
        waiting = asyncio.create_task(monitor.alog({"x": 2}))
        others = 0
        while others < 100:
            await asyncio.sleep(0)
            others += 1
        assert not waiting.done()
        ((number, _),) = monitor._outbox.take(1)
        monitor._outbox.done(number)
        assert await waiting
        return others

    assert asyncio.run(serve()) == 100


def test_wrong_settings_are_refused_at_once() -> None:
    for settings, words in [
        ({"bootstrap_servers": NOBODY, "when_full": "wait"}, "when_full must be one of"),
        ({}, "either bootstrap_servers or kafka"),
        ({"bootstrap_servers": NOBODY, "kafka": {}}, "either bootstrap_servers or kafka"),
        ({"kafka": {"bootstrap_server": NOBODY}}, "Did you mean bootstrap_servers"),
        ({"bootstrap_servers": NOBODY, "max_events": 0}, "at least 1"),
        ({"bootstrap_servers": NOBODY, "producer": {"lingering": 1}}, "lingering"),
    ]:
        with pytest.raises(ValueError, match=words):
            Monitor("m", **settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model must be"):
        Monitor("", bootstrap_servers=NOBODY)


LIGHT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "numba", "pyarrow", "pandas", "aiokafka", "faust",
                                      "rich", "click", "prometheus_client", "urllib3"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
from driftstream import Monitor
with Monitor("m", bootstrap_servers="127.0.0.1:1", exit_timeout=0) as monitor:
    assert monitor.log({"x": 1.5, "t": "DE"}, "ok", score=.5)
    assert monitor.log_batch({"x": [1.5, 2.5], "p": ["a", "b"]}, prediction="p") == 2
    import time
    end = time.monotonic() + 60
    while "does not answer" not in monitor.stats().last_error:
        assert time.monotonic() < end
        time.sleep(.01)
    assert monitor.close(0) == 3
assert not [name for name in sys.modules if name.partition(".")[0] == "detectors"]
"""


def test_it_needs_kafka_python_and_msgspec_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


FORKS = """
import gc, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from driftstream import Monitor
from stream.publishing import process
kept = Monitor("kept", bootstrap_servers="127.0.0.1:1", exit_timeout=0)
kept.log({"x": 1})
gone = Monitor("gone", bootstrap_servers="127.0.0.1:1")
del gone
gc.collect()
assert list(process._forked) == [kept]
pid = os.fork()
if not pid:
    assert kept.stats().logged == 0
    assert kept.log({"x": 1})
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
assert kept.stats().queued == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_begins_anew_and_both_end_without_a_trace() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("closed with 1 event unsent") == 2, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


# ---- frames

AMOUNTS = [1.5, float("nan"), 3.25, 4.0]
COUNTRIES = ["DE", "FR", None, "3"]


def frames() -> dict[str, Any]:
    columns = {
        "amount": AMOUNTS,
        "age": [40, 41, 42, 43],
        "country": COUNTRIES,
        "said": ["ok", "fraud", "ok", "ok"],
        "sure": [0.5, 0.25, 0.75, 1.0],
        "at": [NOW + i for i in range(4)],
        "id": ["a", "b", "c", "d"],
    }
    arrays = {name: np.array(column) for name, column in columns.items() if name != "country"}
    times = pd.to_datetime(columns["at"], unit="s", utc=True)
    return {
        "lists": columns,
        "arrays": {**arrays, "country": np.array(COUNTRIES, object)},
        "pandas": pd.DataFrame(columns),
        "pandas times": pd.DataFrame(columns).assign(at=times),
        "pandas nullable": pd.DataFrame(columns).convert_dtypes(),
        "arrow": pa.table({**columns, "amount": pa.array(AMOUNTS, from_pandas=True)}),
        "record batch": pa.RecordBatch.from_pydict(columns),
    }


@pytest.mark.parametrize("form", frames())
def test_a_frame_counts_as_its_rows_one_by_one(monitor: Monitor, form: str) -> None:
    rows = frames()["lists"]
    for i in range(4):
        row = {name: column[i] for name, column in rows.items()}
        said, sure, at, identity = (row.pop(name) for name in ("said", "sure", "at", "id"))
        monitor.log(row, said, score=sure, timestamp=at, prediction_id=identity)
    singles = decode(*records(monitor))
    monitor._outbox.abandon()
    queued = monitor.log_batch(
        frames()[form], prediction="said", score="sure", timestamp="at", prediction_id="id"
    )
    assert queued == 4
    (message,) = records(monitor)
    together = decode(message)
    assert (
        singles.time_ms.tolist()
        == together.time_ms.tolist()
        == [NOW_MS + 1000 * i for i in range(4)]
    )
    (one,), (other,) = singles.groups, together.groups
    assert np.array_equal(one.numeric, other.numeric, equal_nan=True)
    assert np.array_equal(one.codes, other.codes)
    assert np.array_equal(one.ids, other.ids)  # type: ignore[arg-type]
    assert singles.values_invalid == together.values_invalid == 0


def test_arrow_goes_as_arrow_and_the_rest_as_json(monitor: Monitor) -> None:
    monitor.log_batch(pa.table({"x": [1.0]}))
    monitor.log_batch(pd.DataFrame({"x": [1.0]}))
    kinds = [message.headers[0][1].decode() for message in messages(monitor)]
    assert [kind.rpartition(".")[2] for kind in kinds] == ["stream", "batch+json"]


def test_what_else_a_frame_may_say(monitor: Monitor) -> None:
    before = time.time()
    monitor.log_batch(
        {"x": [1, 2], "region": ["eu", "us"], "y": [0, 0]},
        actual=["ok", None],
        latency_seconds=[0.5, 0.25],
        segments=["region"],
        features=["x"],
    )
    (document,) = documents(monitor)
    columns = document["columns"]
    times = columns.pop("timestamp")
    assert len(times) == 2
    assert before <= times[0] == times[1] <= time.time()
    assert columns == {
        "features": {"x": [1, 2]},
        "actual": {"label": ["ok", None]},
        "segments": {"region": ["eu", "us"]},
        "latency_seconds": [0.5, 0.25],
    }


def test_long_frames_are_cut_by_rows_and_by_bytes(made: list[Monitor]) -> None:
    monitor = Monitor("m", bootstrap_servers=NOBODY, max_message_bytes=4_000)
    made.append(monitor)
    texts = ["x" * 100] * 2_500
    texts[7] = "x" * 5_000
    assert monitor.log_batch({"text": texts, "i": range(2_500)}) == 2_499
    found = messages(monitor)
    assert max(len(message.value) for message in found) <= 4_000
    order = [i for m in found for i in json.loads(m.value)["columns"]["features"]["i"]]
    assert order == [i for i in range(2_500) if i != 7]
    assert monitor.stats().dropped == {"too_large": 1}


@pytest.mark.parametrize("arrow", [False, True])
def test_rows_without_a_time_are_dropped_and_the_others_sent(
    monitor: Monitor, arrow: bool, caplog: pytest.LogCaptureFixture
) -> None:
    frame: Any = {"amount": [1.0, 2.0, 3.0], "t": [NOW, None, NOW]}
    assert monitor.log_batch(pa.table(frame) if arrow else frame, timestamp="t") == 2
    assert monitor.stats().dropped == {"invalid": 1}
    assert len([r for r in caplog.records if "1 rows were dropped" in r.getMessage()]) == 1
    decoded = decode(*records(monitor))
    assert len(decoded.time_ms) == 2


@pytest.mark.parametrize(
    ("frame", "roles", "words"),
    [
        (np.zeros((4, 2)), {}, "Name the columns of an array"),
        ({"x": [1, 2, 3, 4]}, {"prediction": "y"}, "prediction='y' names no column. There are: x"),
        ({"x": [1, 2, 3, 4]}, {"actual": [1]}, "of one length; got"),
        ({"t": [1, 2, 3, 4]}, {"timestamp": "t"}, "needs features, predictions"),
        ({"x": "text"}, {}, "must be an array; got str"),
        (pa.table({"x": [1, 2, 3, 4]}), {"actual": [1]}, "columns cannot be used"),
    ],
)
def test_frames_that_are_none_are_dropped_whole(
    monitor: Monitor, frame: Any, roles: dict[str, Any], words: str
) -> None:
    assert monitor.log_batch(frame, **roles) == 0
    assert words in monitor.stats().last_error
    assert monitor.stats().dropped == {"invalid": 4}


# ---- wrapped models


def test_a_wrapped_model_answers_as_before_and_is_logged(monitor: Monitor) -> None:
    from sklearn.tree import DecisionTreeClassifier

    rows = pd.DataFrame({"amount": [1.0, 2.0, 3.0, 4.0], "age": [1, 2, 3, 4]})
    model = DecisionTreeClassifier().fit(rows, ["ok", "ok", "fraud", "fraud"])
    wrapped = monitor.wrap(model, methods=["predict"])
    assert wrapped.classes_.tolist() == ["fraud", "ok"]
    assert wrapped.predict(rows).tolist() == ["ok", "ok", "fraud", "fraud"]
    (document,) = documents(monitor)
    columns = document["columns"]
    assert columns["features"] == {"amount": [1.0, 2.0, 3.0, 4.0], "age": [1, 2, 3, 4]}
    assert columns["prediction"] == {"label": ["ok", "ok", "fraud", "fraud"]}
    assert len(set(columns["latency_seconds"])) == 1
    assert wrapped.predict_proba(rows).shape == (4, 2)
    assert documents(monitor) == []


class Probabilities:
    """Three classes, or two."""

    def __init__(self, *classes: str) -> None:
        self.classes_ = np.array(classes)

    def predict_proba(self, rows: Any) -> Any:
        return np.array([[0.25, 0.5, 0.25][: len(self.classes_)]] * len(rows))


def test_probabilities_are_scores(monitor: Monitor) -> None:
    monitor.wrap(Probabilities("a", "b")).predict_proba([[1, 2]])
    monitor.wrap(Probabilities("a", "b", "c"), feature_names=["p", "q"]).predict_proba([[1, 2]])
    two, three = (document["columns"] for document in documents(monitor))
    assert two["prediction"] == {"score": [0.5]}
    assert two["features"] == {"x0": [1], "x1": [2]}
    assert three["prediction"] == {"label": ["b"], "score": [0.5]}
    assert three["features"] == {"p": [1], "q": [2]}


class Broken:
    """A model whose answers nobody can log."""

    def predict(self, rows: Any) -> Any:
        if rows is None:
            raise KeyError("of the model itself")
        return object()


def test_what_cannot_be_logged_is_still_answered(monitor: Monitor) -> None:
    wrapped = monitor.wrap(Broken(), methods=["predict"])
    assert wrapped.predict([[1], [2]]) is not None
    assert monitor.stats().dropped == {"invalid": 2}
    with pytest.raises(KeyError, match="of the model itself"):
        wrapped.predict(None)
    with pytest.raises(ValueError, match="the model must have them"):
        monitor.wrap(Broken(), methods=["predict_proba"])
    with pytest.raises(AttributeError):
        _ = wrapped.nothing


def test_both_methods_of_a_model_are_said(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    class Both(Probabilities):
        def predict(self, rows: Any) -> Any:
            return ["a"] * len(rows)

    wrapped = monitor.wrap(Both("a", "b"))
    for _ in range(3):
        wrapped.predict([[1]])
        wrapped.predict_proba([[1]])
    assert len([r for r in caplog.records if "are both called" in r.getMessage()]) == 1


# ---- ASGI


def test_requests_are_logged_with_their_latency_and_the_end_closes(monitor: Monitor) -> None:
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        scope["state"]["driftstream"].log({"x": 1}, "ok")
        assert scope["state"]["own"] == 1
        await asyncio.sleep(0.05)
        if scope["path"] == "/fails":
            raise KeyError("of the application")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.shutdown"}

    async def send(message: dict[str, Any]) -> None:
        events.append(message["type"])

    async def serve() -> None:
        wrapped = MonitorMiddleware(app, monitor, close_timeout=0)
        state = {"own": 1}
        await wrapped({"type": "http", "path": "/", "state": state}, receive, send)
        with pytest.raises(KeyError, match="of the application"):
            await wrapped({"type": "http", "path": "/fails", "state": state}, receive, send)
        assert state == {"own": 1}
        sent.extend(documents(monitor))
        await wrapped({"type": "lifespan"}, receive, send)

    sent: list[dict[str, Any]] = []
    asyncio.run(serve())
    assert events == ["http.response.start", "lifespan.shutdown.complete"]
    assert [document["prediction"] for document in sent] == [{"label": "ok"}] * 2
    assert all(document["latency_seconds"] > 0.04 for document in sent)
    assert not monitor.log({"x": 1})  # it is closed


def test_lines_of_kafka_python_are_one_a_minute() -> None:
    now = 0.0
    one = OneAMinute(lambda: now)

    def line(number: int, level: int = logging.WARNING) -> bool:
        return one.filter(logging.LogRecord("kafka.x", level, "f", number, "m", (), None))

    assert [line(1), line(1), line(2)] == [True, False, True]
    assert line(1, logging.INFO)
    now = 61.0
    assert [line(1), line(1)] == [True, False]
