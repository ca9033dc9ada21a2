"""Peer: a Bytewax dataflow with river's ADWIN for every feature, as a user would write it.

Run as `python -m bytewax.run benchmarks.peers.bytewax_river`; environment and output as in
`faust_river`. It has the interpreter of `quix_river`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from river.drift import ADWIN

EVERY = 1_000
_BROKERS = [os.environ["BROKER"]]
_TOPIC = os.environ["TOPIC"]
_detectors: dict[str, ADWIN] = {}
_seen = 0


def watch(message: KafkaSourceMessage[Any, bytes]) -> Iterator[KafkaSinkMessage[None, bytes]]:
    global _seen
    for name, value in json.loads(message.value)["features"].items():
        detector = _detectors.get(name)
        if detector is None:
            detector = _detectors[name] = ADWIN()
        detector.update(value)
        if detector.drift_detected:
            found = {"signal": name, "estimate": detector.estimation}
            yield KafkaSinkMessage(None, json.dumps(found).encode())
    _seen += 1
    if _seen % EVERY == 0:
        print(time.monotonic(), _seen, flush=True)


flow = Dataflow("peer")
events = kop.input("events", flow, brokers=_BROKERS, topics=[_TOPIC], batch_size=1_000)
alerts = op.flat_map("watch", events.oks, watch)
kop.output("alerts", alerts, brokers=_BROKERS, topic=_TOPIC + ".peer-alerts")
