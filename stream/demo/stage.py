"""What both demos run on: a broker, a config, topics, a worker process, a reader of alerts."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detectors import Reference, tell_of_compiling, warm_up
from stream.client.alert_log import read_alerts
from stream.client.plan_topic import publish_plans
from stream.config.load import Config, load_config
from stream.contracts.alert_event import AlertEvent
from stream.contracts.errors import DriftstreamError
from stream.devbroker.broker import free_port
from stream.kafka.topics import create_topics

__all__ = ["AlertReader", "DemoError", "Stage", "open_stage", "write_config"]

_READY_S = 60.0
_STOP_S = 20.0


class DemoError(DriftstreamError, RuntimeError):
    """A part of the demo failed; the message says which, and shows its last words."""


def write_config(
    folder: Path, bootstrap: str, reference: Reference, model: str, settings: dict[str, str]
) -> Path:
    """Write the reference and a config file that names it, as a user would."""
    (folder / "reference.json").write_bytes(reference.to_json())
    lines = [
        "[kafka]",
        f'bootstrap_servers = "{bootstrap}"',
        "[worker]",
        f'metrics_address = "127.0.0.1:{free_port()}"',
        'environment = "demo"',
        'idle_after = "2s"',
        'snapshot_interval = "2s"',
        "[topics]",
        "partitions = 2",
        "[[models]]",
        f'name = "{model}"',
        'reference = "reference.json"',
        *(f"{key} = {value}" for key, value in settings.items()),
    ]
    path = folder / "driftstream.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass
class Stage:
    """A running worker with its topics."""

    config: Config
    config_path: Path
    worker: subprocess.Popen[bytes]
    log: Path

    @property
    def page(self) -> str:
        """The address of the worker's page."""
        return f"http://{self.config.worker.metrics_address}/"

    def metrics(self) -> str:
        """The metrics page, as Prometheus would scrape it."""
        with urllib.request.urlopen(f"{self.page}metrics", timeout=5) as page:
            text: str = page.read().decode()
            return text

    def lag(self) -> float:
        """Records that the worker has not read yet, over all topics."""
        found = re.findall(r"^driftstream_consumer_lag_records\{.*\} (\S+)$", self.metrics(), re.M)
        return sum(map(float, found)) if found else float("inf")

    def wait_ready(self) -> None:
        """Wait until the worker has its partitions and its state."""
        url = f"{self.page}readyz"
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            self.check()
            with (
                contextlib.suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(url, timeout=2) as answer,
            ):
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise DemoError(f"the worker was not ready within {_READY_S:.0f} s.\n{self.last_words()}")

    def wait_drained(self, timeout_s: float = 120.0) -> None:
        """Wait until the worker has read everything and said so: no lag for three seconds."""
        end = time.monotonic() + timeout_s
        quiet = 0
        while quiet < 6:
            self.check()
            if time.monotonic() > end:
                raise DemoError(f"the worker still lags by {self.lag():.0f} records.")
            quiet = quiet + 1 if self.lag() == 0 else 0
            time.sleep(0.5)

    def check(self) -> None:
        """Raise DemoError if the worker ended."""
        if self.worker.poll() is not None:
            raise DemoError(
                f"the worker ended with exit code {self.worker.returncode}.\n{self.last_words()}"
            )

    def last_words(self) -> str:
        """The end of the worker's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


@contextlib.contextmanager
def open_stage(config_path: Path, say: Callable[[str], None]) -> Iterator[Stage]:
    """Create the topics, publish the plans, start a worker; stop it at the end.

    Kernels are compiled here, before anybody waits for the worker; `say` is told if that is due.
    """
    tell_of_compiling(lambda words: say(words.capitalize()))
    warm_up()
    config = load_config(config_path)
    create_topics(config.kafka, config.wanted_topics())
    publish_plans(config.kafka, config.topics.plans, config.plans())
    log = config_path.parent / "worker.log"
    command = [sys.executable, "-m", "stream.cli", "worker", "-c", str(config_path)]
    with log.open("wb") as out:
        worker = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    stage = Stage(config, config_path, worker, log)
    try:
        stage.wait_ready()
        yield stage
    finally:
        worker.terminate()
        try:
            worker.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


@dataclass
class AlertReader:
    """Follows the alerts topic in a thread; `on_alert` gets each event and its arrival time."""

    config: Config
    on_alert: Callable[[AlertEvent, float], None]
    error: BaseException | None = None
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> AlertReader:
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _follow(self) -> None:
        try:
            for alert in read_alerts(
                self.config.kafka, self.config.topics.alerts, follow=True, stop=self._done.is_set
            ):
                self.on_alert(alert, time.time())
        except Exception as error:  # shown by the demo's own thread
            self.error = error
