"""Peer: a plain Faust agent with river's ADWIN for every feature, as a user would write it today.

Run as `python -m benchmarks.peers.faust_river worker --without-web`; the environment names BROKER,
TOPIC and GROUP. Every EVERY events it writes (seconds, events so far) to standard output.
"""

from __future__ import annotations

import os
import sys
import time

import faust
from river.drift import ADWIN

EVERY = 1_000
app = faust.App(os.environ["GROUP"], broker="kafka://" + os.environ["BROKER"], web_enabled=False)
events = app.topic(os.environ["TOPIC"], value_serializer="json")
alerts = app.topic(os.environ["TOPIC"] + ".peer-alerts", value_serializer="json")
detectors: dict[str, ADWIN] = {}


@app.agent(events)
async def watch(stream):  # type: ignore[no-untyped-def]
    n = 0
    async for event in stream:
        for name, value in event["features"].items():
            detector = detectors.get(name)
            if detector is None:
                detector = detectors[name] = ADWIN()
            detector.update(value)
            if detector.drift_detected:
                await alerts.send(value={"signal": name, "estimate": detector.estimation})
        n += 1
        if n % EVERY == 0:
            # Faust makes sys.stdout its log.
            print(time.monotonic(), n, flush=True, file=sys.__stdout__)


if __name__ == "__main__":
    app.main()
