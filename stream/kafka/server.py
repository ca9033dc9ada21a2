"""One Apache Kafka in KRaft mode as a process on 127.0.0.1: start, wait until ready, stop."""

from __future__ import annotations

import atexit
import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.kafka.admin import cluster
from stream.kafka.guard import TEMPORARY_PREFIX
from stream.kafka.runtime import KafkaRuntime, find_runtime

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class BrokerError(RuntimeError):
    """The broker did not start or stop; the message ends with its own last words."""


@dataclass
class Broker:
    """A broker that answers at `bootstrap`. `pid` is None where the process is not ours."""

    bootstrap: str
    pid: int | None = None
    data_dir: Path | None = None
    log: Path | None = None
    temporary: bool = False  # data_dir goes away with the broker
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    on_stop: Callable[[], None] | None = field(default=None, repr=False)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the broker (SIGTERM, later SIGKILL) and remove its temporary data; repeatable."""
        atexit.unregister(self.stop)
        if self.process is not None and self.process.poll() is None:
            # A stopped process cannot react to SIGTERM.
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.on_stop is not None:
            self.on_stop()
            self.on_stop = None
        if self.guard is not None and self.guard.stdin is not None:
            self.guard.stdin.close()
            self.guard.wait()
            self.guard = None
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
    directory.mkdir(parents=True, exist_ok=True)
    try:
        for attempts_left in (2, 1, 0):
            chosen = port or free_port()
            try:
                process = _launch(directory, chosen, heap_mb, properties or {}, runtime)
                _wait_ready(
                    process, chosen, _cluster_id(directory), directory / "broker.log", timeout_s
                )
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
        f"{HOST}:{chosen}", process.pid, directory, directory / "broker.log", temporary, process
    )
    if not detached:
        atexit.register(broker.stop)
        broker.guard = _guard(broker)
    return broker


def broker_properties(
    data_dir: Path | str, port: int, controller_port: int, extra: Mapping[str, object]
) -> dict[str, str]:
    """Return the settings of a one-node development broker, `extra` on top."""
    ours: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": f"{data_dir}/log",
        # A typing error in a topic name should be an error, not a new topic.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        # After kill -9 a broker is let in again only when its former self has timed out (9 s).
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
        "offsets.topic.num.partitions": 4,  # the default of 50 costs seconds at the first join
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # Data with old record timestamps must not vanish under a demo or a test; topics that
        # want a retention set their own.
        "log.retention.ms": -1,
        # The cleaner takes this from the heap at the start: 128 MB would not fit a small one.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return {key: str(value) for key, value in {**ours, **extra}.items()}


def free_port() -> int:
    """Return a port on which nobody listens.

    Taken from below the range of outgoing connections: a client that reconnects to a broker which
    is down could otherwise be given the broker's port as its own and keep it from restarting.
    """
    for _ in range(200):
        port = random.randint(20_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise BrokerError(f"Found no free port on {HOST} between 20000 and 30000.")


class PortTakenError(BrokerError):
    """The port was in use."""


def _launch(
    directory: Path, port: int, heap_mb: int, extra: Mapping[str, object], runtime: KafkaRuntime
) -> subprocess.Popen[bytes]:
    if _listening(port):
        raise PortTakenError(f"Port {port} on {HOST} is already in use. Choose another one.")
    config = directory / "server.properties"
    settings = broker_properties(directory, port, free_port(), extra)
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    java = [str(runtime.java), "-XX:+UseSerialGC", "-cp", runtime.classpath]
    if not (directory / "log" / "meta.properties").exists():
        # "--" style ids break the tool's parser, so the first character must not be a dash.
        cluster = "d" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
        done = subprocess.run([*java, *tool], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokerError(f"Kafka could not format {directory}: {_tail(done.stderr)}")
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    logging += ["-Dorg.slf4j.simpleLogger.showDateTime=true"]
    with (directory / "broker.log").open("wb") as log:
        return subprocess.Popen(
            [java[0], f"-Xmx{heap_mb}m", *logging, *java[1:], "kafka.Kafka", str(config)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
            start_new_session=True,  # Ctrl-C ends the demo first, which then ends the broker
        )  # fmt: skip


def _wait_ready(
    process: subprocess.Popen[bytes], port: int, cluster_id: str, log: Path, timeout_s: float
) -> None:
    end = time.monotonic() + timeout_s
    try:
        while time.monotonic() < end:
            if process.poll() is not None:
                words = log.read_text(errors="replace")
                taken = "Address already in use" in words
                kind = PortTakenError if taken else BrokerError
                raise kind(
                    f"Kafka on port {port} ended (exit {process.returncode}): {_tail(words)}"
                )
            if _listening(port):
                there = cluster({"bootstrap_servers": f"{HOST}:{port}"}, timeout_s=5)
                # Another broker on that port would answer just as well.
                if there is not None and there.id == cluster_id and there.brokers:
                    return
            time.sleep(0.1)
        raise BrokerError(
            f"Kafka on port {port} did not answer within {timeout_s:.0f} s: "
            f"{_tail(log.read_text(errors='replace'))}"
        )
    except BaseException:
        process.kill()
        process.wait()
        raise


def _guard(broker: Broker) -> subprocess.Popen[bytes]:
    words = [str(broker.pid), str(broker.data_dir), str(broker.temporary)]
    # -P: the directory that we happen to be in is no place to import from.
    python = [sys.executable, "-P", "-m", "stream.kafka.guard"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [*python, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )


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
