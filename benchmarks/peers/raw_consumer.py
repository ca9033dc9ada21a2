"""The limit of the road: a raw confluent-kafka consumer that throws every record away.

Run as `python -m benchmarks.peers.raw_consumer`; environment and output as in `faust_river`.
"""

from __future__ import annotations

import os
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition


def main() -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BROKER"],
            "group.id": os.environ["GROUP"],
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,  # the default of 1 s would measure waiting
        }
    )
    topic = os.environ["TOPIC"]
    there = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in there])
    n = 0
    while True:
        n += len(consumer.consume(10_000, timeout=0.5))
        print(time.monotonic(), n, flush=True)


if __name__ == "__main__":
    main()
