"""One Apache Kafka in KRaft mode as a process on 127.0.0.1: start, wait until ready, stop."""

from __future__ import annotations

import atexit
import base64
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.devbroker.config import HOST, BrokerError, Node, broker_properties, new_nodes
from stream.devbroker.orphan_reaper import TEMPORARY_PREFIX, OrphanReaper
from stream.devbroker.runtime import KafkaRuntime, find_runtime
from stream.kafka.admin import cluster

__all__ = [
    "START_TIMEOUT_S", "STOP_TIMEOUT_S", "Broker", "BrokerError", "PortTakenError",
    "end_process", "new_cluster_id", "prepare", "run", "start", "wait_ready",
]  # fmt: skip

#: A machine with much else to do takes its time.
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0


class PortTakenError(BrokerError):
    """The port was in use."""


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


def new_cluster_id() -> str:
    """A cluster's id; "--" style ids break Kafka's parser, so no dash comes first."""
    return "d" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def prepare(
    directory: Path, settings: Mapping[str, str], runtime: KafkaRuntime, cluster_id: str
) -> None:
    """Write a node's settings, and format its directory unless it was used before."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "server.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    if (directory / "log" / "meta.properties").exists():
        return
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(config)]
    java = _java(runtime, light=True)
    done = subprocess.run([*java, *tool], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerError(f"Kafka could not format {directory}: {_tail(done.stderr)}")


def run(
    directory: Path, node: Node, heap_mb: int, runtime: KafkaRuntime, *, light: bool = False
) -> subprocess.Popen[bytes]:
    """Start the process of a node that was prepared."""
    if _listening(node.port):
        raise PortTakenError(f"Port {node.port} on {HOST} is already in use. Choose another one.")
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    logging += ["-Dorg.slf4j.simpleLogger.showDateTime=true"]
    java = [*_java(runtime, light=light), f"-Xmx{heap_mb}m", *logging]
    with (directory / "broker.log").open("wb") as log:
        return subprocess.Popen(
            [*java, "kafka.Kafka", str(directory / "server.properties")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            start_new_session=True,  # Ctrl-C ends the demo first, which then ends the broker
        )


def wait_ready(
    process: subprocess.Popen[bytes], directory: Path, node: Node, timeout_s: float
) -> None:
    """Return when a node takes requests; it is ended if it does not."""
    cluster_id, log = _cluster_id(directory), directory / "broker.log"
    end = time.monotonic() + timeout_s
    try:
        while time.monotonic() < end:
            if process.poll() is not None:
                words = log.read_text(errors="replace")
                kind = PortTakenError if "Address already in use" in words else BrokerError
                raise kind(
                    f"Kafka on port {node.port} ended (exit {process.returncode}): {_tail(words)}"
                )
            if _listening(node.port):
                there = cluster({"bootstrap_servers": node.address}, timeout_s=5)
                # Another broker on that port would answer just as well.
                if there is not None and there.id == cluster_id and node.address in there.brokers:
                    return
            time.sleep(0.1)
        raise BrokerError(
            f"Kafka on port {node.port} did not answer within {timeout_s:.0f} s: "
            f"{_tail(log.read_text(errors='replace'))}"
        )
    except BaseException:
        process.kill()
        process.wait()
        raise


def end_process(process: subprocess.Popen[bytes], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """SIGTERM, and SIGKILL where that does not help in time."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)  # a stopped process cannot react to SIGTERM
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _java(runtime: KafkaRuntime, *, light: bool) -> list[str]:
    once = ["-XX:TieredStopAtLevel=1"] if light else []  # no code is compiled a second time
    return [str(runtime.java), "-XX:+UseSerialGC", *once, "-cp", runtime.classpath]


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _cluster_id(directory: Path) -> str:
    lines = (directory / "log" / "meta.properties").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Exception" in line or "ERROR" in line]
    return " | ".join((errors or lines)[-3:]) or "it said nothing"
