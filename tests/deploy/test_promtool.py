"""Prometheus' own linter has nothing to say about the metrics page."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stream.metrics import MetricsCollector
from tests.stream.test_metrics import FileState
from tests.stream.test_metrics import state as state  # the fixture


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (it comes with Debian's package prometheus)",
)
def test_promtool_check_metrics(state: FileState) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricsCollector(state, max_series=20))
    page = generate_latest(registry)
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
