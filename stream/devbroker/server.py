"""One Apache Kafka in KRaft mode as a process on 127.0.0.1: start, wait until ready, stop."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.devbroker.class_archive import keep_classes
from stream.devbroker.config import BrokerError, broker_properties, new_nodes
from stream.devbroker.kafka_process import (
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    PortTakenError,
    end_process,
    new_cluster_id,
    prepare,
    run,
    wait_ready,
)
from stream.devbroker.orphan_reaper import TEMPORARY_PREFIX, OrphanReaper
from stream.devbroker.runtime import KafkaRuntime, find_runtime

__all__ = ["Broker", "start"]


@dataclass
class Broker:
    """A broker that answers at `bootstrap`. `pid` is None where the process is not ours."""

    bootstrap: str
    pid: int | None = None
    data_dir: Path | None = None
    log: Path | None = None
    temporary: bool = False  # data_dir goes away with the broker
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    reaper: OrphanReaper | None = field(default=None, repr=False)
    on_stop: Callable[[], None] | None = field(default=None, repr=False)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the broker (SIGTERM, later SIGKILL) and remove its temporary data; repeatable."""
        atexit.unregister(self.stop)
        if self.process is not None:
            end_process(self.process, timeout_s)
        if self.on_stop is not None:
            self.on_stop()
            self.on_stop = None
        if self.reaper is not None:
            self.reaper.close()
            self.reaper = None
        if self.temporary and self.data_dir is not None:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def kill(self) -> None:
        """End the broker with SIGKILL and keep its data, as a power cut would."""
        if self.process is None:
            raise BrokerError(f"The broker at {self.bootstrap} is not ours: it cannot be killed.")
        self.process.kill()
        self.process.wait()
        atexit.unregister(self.stop)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    data_dir: Path | None = None,
    *,
    port: int | None = None,
    heap_mb: int = 512,
    properties: Mapping[str, object] | None = None,
    runtime: KafkaRuntime | None = None,
    detached: bool = False,
    light: bool = False,
    timeout_s: float = START_TIMEOUT_S,
) -> Broker:
    """Start a broker and return when it answers a metadata request.

    Parameters
    ----------
    data_dir
        Where its data stays; a directory used before is opened again. Default: a temporary one
        that `stop` removes.
    port
        A fixed port on 127.0.0.1; default a free one.
    heap_mb
        Java heap; 256 is enough for tests.
    properties
        Broker settings that go over our defaults, such as `{"log.segment.bytes": 1048576}`.
    runtime
        Java and jars; default what `find_runtime` finds.
    detached
        Leave it running when this process ends.
    light
        Be there with half of the CPU, and be slower under load: for what lives for seconds.
    timeout_s
        How long it may take to answer.

    Raises
    ------
    BrokerUnavailable
        No Java or no jars.
    BrokerError
        It ended or did not answer in time.
    """
    runtime = runtime or find_runtime()
    keep_classes(runtime)
    temporary = data_dir is None
    directory = data_dir or Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX))
    try:
        for attempts_left in (2, 1, 0):
            (node,) = new_nodes(1, port)
            try:
                settings = broker_properties(directory, node, [node], properties or {})
                prepare(directory, settings, runtime, new_cluster_id())
                process = run(directory, node, heap_mb, runtime, light=light)
                wait_ready(process, directory, node, timeout_s)
                break
            except PortTakenError:
                # Between our look at a free port and its use somebody else took it.
                if port is not None or not attempts_left:
                    raise
    except BaseException:
        if temporary:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    broker = Broker(
        node.address, process.pid, directory, directory / "broker.log", temporary, process
    )
    if not detached:
        atexit.register(broker.stop)
        broker.reaper = OrphanReaper(directory, temporary)
        broker.reaper.watch(process.pid, directory)
    return broker
