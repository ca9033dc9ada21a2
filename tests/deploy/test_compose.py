"""docker-compose.yml and the image: what they name is there, and nothing secret is in them.

Neither Docker nor an image registry is needed for it: whether images start is not tested here.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_helm import check_arguments

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
#: Keys of a service that are used here, as the Compose specification has them.
KEYS = {
    "image", "build", "command", "environment", "ports", "volumes", "depends_on", "healthcheck",
    "restart", "entrypoint", "user", "read_only", "tmpfs", "cap_drop", "security_opt", "profiles",
    "deploy", "init", "stop_grace_period",
}  # fmt: skip


def test_services_are_those_of_a_whole_installation() -> None:
    assert set(SERVICES) >= {
        "kafka",
        "topics",
        "worker",
        "notify",
        "producer",
        "prometheus",
        "alertmanager",
        "grafana",
    }
    assert set(COMPOSE) <= {"services", "volumes", "networks", "name", "x-hardened"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS, f"unknown: {set(service) - KEYS}"
    image = service.get("image", "")
    assert image == "driftstream" or re.search(r":v?\d[\w.]*$", image), f"{image} is not pinned"
    for other, how in (service.get("depends_on") or {}).items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if how["condition"] == "service_completed_successfully":
            assert "restart" not in SERVICES[other]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{port} is open to the network"


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_are_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        if mount.startswith("${"):
            continue  # the user's config
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{source} is not there"
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize(
    "name", [n for n, s in SERVICES.items() if s.get("image") == "driftstream"]
)
def test_commands_are_those_of_the_wheel(name: str) -> None:
    check_arguments(SERVICES[name]["command"])


def test_no_secret_is_written_down() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "deploy/Dockerfile").read_text()
    assert not re.search(r"(?i)(password|secret|token)\s*[:=]\s*[^\s$\"']", text)


def test_what_prometheus_scrapes_is_served() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            assert set(found["names"]) <= set(SERVICES)
    notify = SERVICES["notify"]["command"]
    assert notify[notify.index("--metrics-address") + 1] == "0.0.0.0:9465"


def test_prometheus_tells_the_alertmanager_beside_it_but_not_of_what_the_notifier_tells() -> None:
    alerting = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["alerting"]
    for found in (each for one in alerting["alertmanagers"] for each in one["dns_sd_configs"]):
        assert found["names"] == ["alertmanager"]
        assert any(port.endswith(f":{found['port']}") for port in SERVICES["alertmanager"]["ports"])
    (dropped,) = alerting["alert_relabel_configs"]
    assert (dropped["action"], dropped["source_labels"]) == ("drop", ["alertname"])
    rules = (ROOT / "deploy/prometheus/driftstream.rules.yml").read_text()
    names = re.findall(r"- alert: (\w+)", rules)
    assert [name for name in names if re.fullmatch(dropped["regex"], name)] == [
        "DriftstreamEpisode"
    ]


@pytest.mark.parametrize("name", ["kafka", "prometheus", "alertmanager", "grafana"])
def test_what_is_kept_is_in_a_volume_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    named = [mount.split(":") for mount in service["volumes"] if not mount.startswith(".")]
    assert [volume for volume, _ in named] == [f"{name}-data"]
    assert service["restart"] == "unless-stopped"


def test_replicas_of_the_worker_have_a_port_each() -> None:
    (published,) = SERVICES["worker"]["ports"]
    first, last = map(int, published.split(":")[1].split("-"))
    taken = {
        int(port.split(":")[1])
        for name, each in SERVICES.items()
        if name != "worker"
        for port in each.get("ports", [])
    }
    assert last - first + 1 >= SERVICES["worker"]["deploy"]["replicas"]
    assert not taken & set(range(first, last + 1))


def test_kafka_is_the_version_that_tests_run_on() -> None:
    from stream.devbroker.runtime import kafka_version

    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_nothing_that_the_image_copies_is_ignored_and_nothing_else_is_sent() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert lines[1] == "*"
    assert lines[-1] == "**/__pycache__", "kernels compiled for this machine"
    copied = re.findall(
        r"^COPY ((?!--from)[^\n]+) \S+$", (ROOT / "deploy/Dockerfile").read_text(), re.M
    )
    for source in " ".join(copied).split():
        assert any(source == path or source.startswith(f"{path}/") for path in kept), source
    for path in kept:
        assert any(path == s or f"{s}/".startswith(f"{path}/") for s in " ".join(copied).split())


def test_the_image_builds_what_the_wheel_holds() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert re.search(rf"^COPY .*\b{package}\b", text, re.M)
    for copied in re.findall(r"^COPY ((?!--from)[^\n]+) \S+$", text, re.M):
        for source in copied.split():
            assert (ROOT / source).exists(), f"{source} is not there"
    assert re.search(r"^USER (?!root)", text, re.M)
    assert re.search(r"^ENTRYPOINT .*driftstream-entrypoint", text, re.M)
    entry = re.search(r"^exec (\w+)", (ROOT / "deploy/entrypoint.sh").read_text(), re.M)
    assert entry is not None
    assert entry[1] in project["project"]["scripts"]
