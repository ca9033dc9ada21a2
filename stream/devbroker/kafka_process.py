"""Kafka's process: prepared, run, waited for, ended."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream.devbroker.config import HOST, BrokerError, Node
from stream.devbroker.runtime import KafkaRuntime
from stream.kafka.admin import cluster

__all__ = [
    "START_TIMEOUT_S", "STOP_TIMEOUT_S", "PortTakenError",
    "end_process", "new_cluster_id", "prepare", "run", "wait_ready",
]  # fmt: skip

#: A machine with much else to do takes its time.
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 30.0


class PortTakenError(BrokerError):
    """The port was in use."""


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
    directory: Path,
    node: Node,
    heap_mb: int,
    runtime: KafkaRuntime,
    *,
    light: bool = False,
    options: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start the process of a node that was prepared; `options` are Java's, beside our own."""
    if _listening(node.port):
        raise PortTakenError(f"Port {node.port} on {HOST} is already in use. Choose another one.")
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    logging += ["-Dorg.slf4j.simpleLogger.showDateTime=true"]
    java = [*_java(runtime, light=light), f"-Xmx{heap_mb}m", *logging, *options]
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
    kept = runtime.class_archive
    parsed = [f"-XX:SharedArchiveFile={kept}"] if kept is not None and kept.is_file() else []
    return [str(runtime.java), "-XX:+UseSerialGC", *once, *parsed, "-cp", runtime.classpath]


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
