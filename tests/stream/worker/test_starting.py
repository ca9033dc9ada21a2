"""A worker that has only begun to start, and a stderr that takes nothing."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.devbroker.broker import free_port


def started(folder: Path, env: dict[str, str], stderr: int) -> tuple[subprocess.Popen[bytes], int]:
    """A worker whose broker nobody has started, and its metrics port."""
    port = free_port()
    config = folder / "config.toml"
    config.write_text(
        f'[kafka]\nbootstrap_servers = "127.0.0.1:1"\n'
        f'[worker]\nmetrics_address = "127.0.0.1:{port}"\n'
        '[[models]]\nname = "fraud"\nsignals = "auto"\n'
    )
    command = [sys.executable, "-m", "stream.cli", "worker", "-c", str(config)]
    return subprocess.Popen(command, stderr=stderr, env={**os.environ, **env}), port


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def page(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_that_it_compiles_and_may_be_ended_meanwhile(
    tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        process, port = started(tmp_path, {"NUMBA_CACHE_DIR": str(tmp_path / "new")}, out.fileno())
    with ending(process):
        end = time.monotonic() + 120
        while "compiling kernels, once" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        assert page(port, "/healthz") == (200, "alive\n")
        status, words = page(port, "/readyz")
        assert status == 503
        assert words.startswith("compiling kernels, once for this version and CPU")
        process.send_signal(number)
        assert process.wait(60) == 0
    where, compiles = log.read_text().splitlines()
    assert f"page http://127.0.0.1:{port}/" in where
    assert "compiling kernels, once" in compiles


def test_a_stderr_that_is_full_ends_no_worker(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        process, port = started(tmp_path, {}, full.fileno())
    with ending(process):
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                if "no broker answers" in page(port, "/readyz")[1]:
                    break
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0


PATIENT = """
import sys
from stream.process.patient_stderr import make_stderr_patient

make_stderr_patient()
for line in sys.stdin:
    print(line, end="", file=sys.stderr)
    print("done", flush=True)
"""


def test_what_stderr_did_not_take_is_counted_and_told(tmp_path: Path) -> None:
    """A pipe without a reader, which gets one again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    process = subprocess.Popen(
        [sys.executable, "-c", PATIENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
    )
    os.close(writer)
    assert process.stdin is not None
    assert process.stdout is not None

    def say(words: str) -> None:
        process.stdin.write(f"{words}\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        assert process.stdout.readline() == "done\n"  # type: ignore[union-attr]

    with process, ending(process):
        say("one")
        assert os.read(reader, 100) == b"one\n"
        os.close(reader)
        say("lost")
        say("lost too")
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        say("zwei \u00e4")
        words = b"[2 writes to stderr failed before this one]\nzwei "
        assert os.read(reader, 100).startswith(words)
        process.stdin.close()
        assert process.wait(20) == 0
    os.close(reader)
