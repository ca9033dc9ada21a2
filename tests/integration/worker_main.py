"""A worker with settings from a JSON file: `python -m tests.integration.worker_main FILE STAGE`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from stream.kafka.app import run_worker
from stream.kafka.settings import TopicNames, WorkerSettings


def main() -> int:
    given = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    topics = TopicNames(**given.pop("topics"))
    settings = WorkerSettings(topics=topics, stage=sys.argv[2], **given)
    return run_worker(settings, lambda view: print("READY", view.ready()[1], flush=True))


if __name__ == "__main__":
    sys.exit(main())
