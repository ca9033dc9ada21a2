"""Peer: a Quix Streams consumer with river's ADWIN for every feature, as a user would write it.

Run as `python -m benchmarks.peers.quix_river`; environment and output as in `faust_river`. Quix
Streams wants another confluent-kafka than the bench does, so it has an interpreter of its own:
DRIFTSTREAM_BENCH_QUIX names one with quixstreams and river, and without it this peer is left out.
"""

from __future__ import annotations

import os
import time

from quixstreams import Application
from river.drift import ADWIN

EVERY = 1_000


def main() -> None:
    app = Application(
        broker_address=os.environ["BROKER"],
        consumer_group=os.environ["GROUP"],
        auto_offset_reset="earliest",
        loglevel="ERROR",
    )
    events = app.topic(os.environ["TOPIC"], value_deserializer="json")
    detectors: dict[str, ADWIN] = {}
    n = 0

    def watch(event: dict) -> list:
        nonlocal n
        found = []
        for name, value in event["features"].items():
            detector = detectors.get(name)
            if detector is None:
                detector = detectors[name] = ADWIN()
            detector.update(value)
            if detector.drift_detected:
                found.append({"signal": name, "estimate": detector.estimation})
        n += 1
        if n % EVERY == 0:
            print(time.monotonic(), n, flush=True)
        return found

    alerts = app.topic(os.environ["TOPIC"] + ".peer-alerts", value_serializer="json")
    app.dataframe(events).apply(watch, expand=True).to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main()
