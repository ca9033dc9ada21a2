"""A worker's process has the garbage collector's settings of a worker."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, logging, os, signal
from stream.worker.app import GC_THRESHOLDS, run_worker
from stream.worker.settings import WorkerSettings

before = gc.get_threshold()
assert gc.get_freeze_count() == 0


class EndWhenItWaits(logging.Handler):
    def emit(self, record):
        if "no broker answers" in record.getMessage():
            os.kill(os.getpid(), signal.SIGTERM)


logging.getLogger("stream").addHandler(EndWhenItWaits())
code = run_worker(WorkerSettings({"bootstrap_servers": "127.0.0.1:1"}))  # nobody listens there
assert code == 0, "it waits for a broker, and ends when it is told to"
assert gc.get_threshold() == GC_THRESHOLDS != before
assert gc.get_freeze_count() > 10_000, gc.get_freeze_count()
print("all of it")
"""


def test_a_worker_spares_the_collector() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr
