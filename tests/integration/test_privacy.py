"""What people's values must not be found in: every byte that a worker writes, logs or serves."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from detectors import fit_reference
from stream.client.records import publish, read_topic
from stream.devbroker.broker import free_port
from stream.plans.plan import Plan
from tests.integration.worker_kit import BASE_MS, Installation, last_event

pytestmark = pytest.mark.broker
N = 6_000
#: A number that no bin's edge, mean or quantile is: searched for as people would write it.
NUMBER = 8765.4321


def plan(topic: str, *, private: bool) -> Plan:
    rng = np.random.default_rng(7)
    reference = fit_reference(
        {"amount": rng.normal(100, 10, N), "town": list(rng.choice(["planted-a", "planted-b"], N))},
        model="fraud",
        times_ms=BASE_MS - 86_400_000 + np.arange(N) * 10,
    )
    return Plan(
        model="fraud",
        reference=reference,
        topic=topic,
        pane_ms=5_000,
        lateness_ms=2_000,
        window_events=1_000,
        segments=("who",),
        private=private,
    )


def events() -> list[bytes]:
    rng = np.random.default_rng(8)
    made = []
    for i in range(N):
        document = {
            "timestamp": BASE_MS + i * 10,
            "model": {"name": "fraud", "version": "3"},
            "prediction_id": f"h1dden-id-{i}",
            "features": {
                "amount": float(rng.normal(130, 10)) if i % 10 else NUMBER,
                "town": "h1dden-unseen" if i % 3 else "planted-a",
                "h1dden-field": "h1dden-value",
            },
            "segments": {"who": "segment-x"},
            "tags": {"t": "h1dden-tag"},
        }
        if i % 500 == 0:
            document["features"] = {"amount": "h1dden-text", "town": ["h1dden-list"]}
        made.append(json.dumps(document).encode())
    refused = [
        b"{h1dden-garbage",
        b'{"model":{"name":"fraud"},"timestamp":"h1dden-time","features":{}}',
    ]
    return made + refused


@pytest.mark.parametrize("private", [False, True])
def test_no_value_of_an_event_is_found_anywhere(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path, private: bool
) -> None:
    port = free_port()
    watched = plan(topic_prefix + "events", private=private)
    worker = {"metrics_address": f"127.0.0.1:{port}", "idle_after": "10m"}
    if private:
        worker["dead_letter_values"] = False
    there = Installation(kafka, topic_prefix, tmp_path, watched, partitions=1, worker=worker)
    try:
        running = there.start()
        there.wait_ready(running)
        nothing = (b"", None, ())  # a letter of it without its key is nothing at all
        sent = [(b"h1dden-key", event, ()) for event in events()]
        publish(kafka, watched.topic, [*sent, nothing, (None, last_event(), ())])
        there.wait_for(there.alerts)
        pages = ""
        for page in ("metrics", "healthz", "readyz", "", "api/v1/state", "absent"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as got:
                    pages += got.read().decode()
            except urllib.error.HTTPError as error:
                pages += error.read().decode()
        assert running.terminate() == 0
    finally:
        there.stop_all()

    topics = {
        name: b"".join(
            b"|".join((record.key or b"", record.value or b"", repr(record.headers).encode()))
            for record in read_topic(kafka, topic)
        )
        for name, topic in there.topics.items()
    }
    letters = topics.pop("dead_letter")
    assert b"h1dden-time" not in letters.split(b'"timestamp"')[0]
    said = {name: text.decode(errors="replace") for name, text in topics.items()}
    said |= {"pages": pages, "log": running.said()}
    assert "amount" in said["alerts"]
    assert "driftstream_drift_score" in pages
    for name, text in said.items():
        assert "h1dden" not in text, name
        assert "8765.43" not in text, name
    # The reference's categories and segments are names, and may be told; not of a private model.
    told = {name for name, text in said.items() if "planted-" in text}
    assert told - {"pages"} == ({"plans"} if private else {"plans", "alerts"})
    assert ("planted-" in pages) is not private or "planted-" not in pages
    assert "segment-x" not in said["log"]
    if private:
        assert "segment-x" not in said["alerts"] + pages
    # Dead letters are the original bytes, by contract, unless that is switched off.
    assert letters.count(b"driftstream.dlq.reason") == 3
    assert (b"h1dden-garbage" in letters) is not private
    assert (b"h1dden-key" in letters) is not private
    assert (b"h1dden" in letters) is not private
