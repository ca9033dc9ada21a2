"""Prometheus' own linter has nothing to say about the metrics page."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from stream.metrics import MetricsCollector
from stream.notify.dispatcher import Dispatcher
from stream.notify.metrics import NotifyCollector
from stream.notify.notify_status import NotifyStatus
from stream.notify.targets.webhook import WebhookTarget
from tests.stream.metrics.test_metrics import FileState
from tests.stream.metrics.test_metrics import state as state  # the fixture


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (it comes with Debian's package prometheus)",
)
def test_promtool_check_metrics(state: FileState) -> None:
    status = NotifyStatus()
    status.dispatcher = Dispatcher([WebhookTarget(name="a", url="http://127.0.0.1:9")], {}, {0: 1})
    status.dispatcher.targets()[0].stats.last_s = 1.5
    for collector in (MetricsCollector(state, max_series=20), NotifyCollector(status)):
        check(collector)


def check(collector: Collector) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    page = generate_latest(registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
