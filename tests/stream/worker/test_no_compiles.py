"""No kernel compiles once a worker is ready: that would hold up its event loop for seconds."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_warm_up_has_compiled_all_that_both_stages_use() -> None:
    command = [sys.executable, "-m", "tests.stream.all_features"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3_000:]
    said = json.loads(done.stdout)
    assert said["late"] == {}
    assert said["used"] > 15
    assert said["alerts"] > 10
