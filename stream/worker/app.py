"""The Kafka worker as a process: signals, exit codes, and an end in any case."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import detectors
import stream
from stream.kafka.access import explain
from stream.kafka.connection import quieten
from stream.metrics import MetricsCollector, serve
from stream.page import live_pages
from stream.process.early_end import end_at_once_if_told
from stream.stage1 import quorum
from stream.text.printable import printable
from stream.worker.faust.aiokafka_patches import hold_back_metadata, limit_connecting
from stream.worker.settings import WorkerSettings
from stream.worker.worker import Worker
from stream.worker.worker_status import WorkerStatus

__all__ = ["GC_THRESHOLDS", "run_worker", "spare_the_collector"]

log = logging.getLogger(__name__)
#: Leaving a group can hang in a client's thread while the broker is away.
_HARD_END_S: Final = 9.5
#: A poll makes thousands of record objects that live until it is counted and hold no cycle. With
#: CPython's 700 they are walked again and again: 4.9 CPU seconds a million events, with these 4.2.
#: Cycles (futures, tracebacks) wait longer, but are few: some tens of megabytes at most.
GC_THRESHOLDS: Final = (200_000, 20, 100)


def run_worker(
    settings: WorkerSettings,
    on_ready: Callable[[WorkerStatus], None] | None = None,
    prepare: Callable[[], None] | None = None,
) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; the exit code.

    `prepare` is called once somebody listens at the bootstrap servers, which is waited for, and
    before the worker reads anything.

    0 after a clean stop; 1 after an error, which is said on stderr. Told to stop, the process is
    gone within 10 s: what was not acknowledged by then is read again by the next owner.
    """
    end_at_once_if_told()
    quieten()
    hold_back_metadata()
    limit_connecting()
    deadline = _Deadline(_HARD_END_S)
    worker = Worker(settings, deadline.arm)
    try:
        with _serving(settings, worker.status):
            _warm_up(worker.status)
            asyncio.run(_main(worker, on_ready, prepare, deadline))
    except Exception as error:
        log.debug("worker failed", exc_info=error)
        known = explain(error, settings.kafka) or error
        said = printable(f"driftstream worker: {type(known).__name__}: {known}")
        print(said, file=sys.stderr)
        return 1
    finally:
        deadline.cancel()
    return 0


@contextlib.contextmanager
def _serving(settings: WorkerSettings, status: WorkerStatus) -> Iterator[None]:
    """Serve the metrics address meanwhile, if there is one."""
    if not settings.metrics_address:
        yield
        return
    collector = MetricsCollector(
        status, max_series=settings.max_series, environment=settings.environment
    )
    pages = live_pages(status)
    server = serve(settings.metrics_address, collector, status, pages, settings.metrics_tls)
    where = f"page {server.url}, metrics at {server.url}metrics"
    print(f"driftstream worker {stream.__version__}: {where}", file=sys.stderr)
    try:
        yield
    finally:
        server.close()


def _warm_up(status: WorkerStatus) -> None:
    """Compile or load all kernels; /readyz says that meanwhile, and /healthz is well."""
    status.preparing = "loading kernels"

    def tell(words: str) -> None:
        status.preparing = words
        print(f"driftstream worker: {words}", file=sys.stderr)

    detectors.tell_of_compiling(tell)
    detectors.warm_up()
    quorum.warm_up()
    spare_the_collector()
    status.preparing = ""


def spare_the_collector() -> None:
    """Collect less often, and never look at what exists now: modules, compiled kernels.

    For a process that is a worker and nothing else; call it once all is imported and warm.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


class _Deadline:
    """Ends the process hard if it does not end by itself."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._armed = False

    def arm(self) -> None:
        """Begin to count, once."""
        if not self._armed:
            self._armed = True
            self._timer.start()

    def cancel(self) -> None:
        """It ended by itself."""
        self._timer.cancel()

    def _end(self) -> None:
        print("driftstream worker: could not leave in time; ending hard", file=sys.stderr)
        os._exit(1)


async def _main(
    worker: Worker,
    on_ready: Callable[[WorkerStatus], None] | None,
    prepare: Callable[[], None] | None,
    deadline: _Deadline,
) -> None:
    def stop() -> None:
        deadline.arm()
        worker.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    run = asyncio.ensure_future(worker.run(on_ready, prepare))
    stopping = asyncio.ensure_future(worker.stopping())
    await asyncio.wait([run, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if worker.holds_nothing and not run.done():  # told to stop while still starting
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        return
    await run
