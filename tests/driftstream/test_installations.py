"""What driftstream alone and each extra can do, and that the rest says what it needs.

The environments are real: a wheel beside nothing but links to the packages that pip would bring.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import driftstream
from stream.process.extras import missing_words
from tests.driftstream.conftest import ROOT, environment_of, needed

PUBLISHER = """
from driftstream import ModelId, Monitor, PredictionEvent, encode_event, producer, publish
event = PredictionEvent(ModelId("m"), 1772366400.5, features={"x": 1.5})
print(encode_event(event).decode())
"""
SECURED = """
import logging, time
from driftstream import Monitor
logging.basicConfig(level=logging.WARNING)
kafka = {"bootstrap_servers": "127.0.0.1:1", "security_protocol": "SASL_PLAINTEXT",
         "sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}
monitor = Monitor(model="m", topic="t", kafka=kafka)
monitor.log({"x": 1.5})
end = time.monotonic() + 60
while not monitor.stats().last_error and time.monotonic() < end:
    time.sleep(0.1)
print(monitor.stats().last_error)
monitor.close(0.1)
"""
READER = """
import sys
from driftstream import AlertEvent, decode_alert, latest_alerts, read_alerts
for line in sys.stdin:
    print(decode_alert(line.encode()).data.severity)
"""


@pytest.fixture(scope="module")
def fitting(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return environment_of(tmp_path_factory.mktemp("fit") / "environment", wheel, "fit")


def run(environment: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment / "bin" / words[0], *words[1:]],
        cwd=environment,
        check=False,
        input=given,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "NUMBA_DISABLE_CACHING": "1"},
    )


def test_driftstream_alone_brings_no_statistics(wheel: Path) -> None:
    alone, fit, worker = (needed(wheel, extra) for extra in ("", "fit", "worker"))
    assert {"msgspec", "kafka-python"} <= alone
    assert not alone & {"numpy", "numba", "pyarrow", "faust-streaming", "click", "rich"}
    assert {"numpy", "numba", "pyarrow", "click"} <= fit
    assert not fit & {"faust-streaming", "prometheus-client"}
    assert alone < fit < worker
    assert "faust-streaming" in worker


def test_a_publisher_needs_no_extra(bare: Path) -> None:
    done = run(bare, "python", "-c", PUBLISHER)
    assert '"features":{"x":1.5}' in done.stdout, done.stderr


def test_a_publisher_needs_no_extra_for_a_secured_cluster(bare: Path) -> None:
    done = run(bare, "python", "-c", SECURED)
    assert "Kafka at 127.0.0.1:1" in done.stdout, done.stderr
    assert "ModuleNotFoundError" not in done.stdout + done.stderr


def test_a_reader_of_alerts_needs_no_extra(bare: Path) -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    example = json.loads(re.findall(r"^```json\n(.*?)^```", page, re.S | re.M)[0])
    done = run(bare, "python", "-c", READER, given=json.dumps(example))
    assert done.stdout == f"{example['data']['severity']}\n", done.stderr


def packages_of(line: str, environment: Path) -> set[str]:
    """Names of what the line at the end of an error installs."""
    command = shlex.split(re.split(r"Install that: |Install it: ", line)[-1])
    python, *pip = command[:4]
    assert Path(python).parent == environment / "bin"
    assert pip == ["-m", "pip", "install"]
    return {canonicalize_name(Requirement(each).name) for each in command[4:]}


@pytest.mark.parametrize("name", ["ADWIN", "compare", "replay", "psi"])
def test_what_needs_an_extra_names_it_and_a_line_that_installs_it(bare: Path, name: str) -> None:
    done = run(bare, "python", "-c", f"from driftstream import {name}")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: driftstream.{name} needs num")
    assert "which is not installed: it is of the extra 'fit'. Install that: " in last
    assert packages_of(last, bare) == {"numpy", "numba", "pyarrow", "click", "rich"}


def test_the_command_says_what_it_needs(bare: Path, fitting: Path) -> None:
    done = run(bare, "driftstream", "--help")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("driftstream: the command line needs click, which is not installed")
    assert "click" in packages_of(line, bare)

    assert run(fitting, "driftstream", "replay", "--help").returncode == 0
    config = fitting / "driftstream.toml"
    config.write_text(
        '[kafka]\nbootstrap_servers = "127.0.0.1:1"\n[[models]]\nname = "m"\nsignals = "auto"\n'
    )
    done = run(fitting, "driftstream", "worker", "-c", str(config))
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert "is of the extra 'worker'. Install that: " in line
    wanted = packages_of(line, fitting)
    assert {"faust-streaming", "prometheus-client"} <= wanted
    assert not wanted & {"numba", "click"}, "those are there"


def test_with_fit_every_name_can_be_imported(fitting: Path) -> None:
    names = ", ".join(name for name in driftstream.__all__)
    done = run(fitting, "python", "-c", f"from driftstream import {names}; print(repr(ADWIN()))")
    assert done.returncode == 0, done.stderr
    assert "delta=0.002" in done.stdout


def test_a_module_of_ours_that_is_missing_is_no_matter_of_extras() -> None:
    assert missing_words(ModuleNotFoundError(name="stream.nothing"), "x") == ""
    assert missing_words(ModuleNotFoundError("nothing"), "x") == ""
    words = missing_words(ModuleNotFoundError(name="pandas"), "x")
    assert words.startswith("x needs pandas, which is not installed. Install it: ")
