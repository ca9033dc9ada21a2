"""The Helm chart: rendered by helm, decoded by Kubernetes' own types, and true to the product."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from stream.cli import cli

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHART = ROOT / "deploy" / "helm" / "driftstream"
KUBERNETES = "1.31.0"
EVERYTHING = (
    "notify.enabled=true", "networkPolicy.enabled=true", "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true", "dashboards.enabled=true", "autoscaling.enabled=true",
    "secrets.existingSecret=kafka", "references.files.a\\.json=text", "worker.publish=false",
    "image.tag=0.1.0@sha256:0", "env[0].name=KAFKA_PASSWORD", "env[0].value=x",
    "worker.nodeSelector.pool=drift", "networkPolicy.kafka.peers[0].ipBlock.cidr=10.0.0.0/8",
)  # fmt: skip
needs_helm = pytest.mark.skipif(
    shutil.which("helm") is None,
    reason="helm is not installed: go install helm.sh/helm/v3/cmd/helm",
)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


def render(*values: str) -> str:
    sets = [part for value in values for part in ("--set", value)]
    done = helm("template", "drift", str(CHART), "--kube-version", KUBERNETES, *sets)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> dict[tuple[str, str], Any]:
    """(kind, name) -> manifest."""
    found = [each for each in yaml.safe_load_all(text) if each]
    made = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(made) == len(found), "two objects have one name"
    return made


def containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", []), *pod["containers"]]


@needs_helm
def test_lint() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["defaults", "everything"])
def test_what_is_rendered_fits_together(values: tuple[str, ...]) -> None:
    made = objects(render(*values))
    pods = {
        name: each["spec"]["template"]
        for (kind, name), each in made.items()
        if kind in ("StatefulSet", "Deployment")
    }
    assert set(pods) == {"drift-driftstream-worker"} | (
        {"drift-driftstream-notify"} if values else set()
    )
    config_maps = {name for kind, name in made if kind == "ConfigMap"}
    for (kind, _), each in made.items():
        if kind in ("Service", "ServiceMonitor", "PodDisruptionBudget", "NetworkPolicy"):
            selector = each["spec"].get("selector") or each["spec"].get("podSelector")
            wanted = selector.get("matchLabels", selector)
            what = [pod["metadata"]["labels"] for pod in pods.values()]
            what = (
                [made["Service", name]["metadata"]["labels"] for k, name in made if k == "Service"]
                if kind == "ServiceMonitor"
                else what
            )
            chosen = [labels for labels in what if wanted.items() <= labels.items()]
            assert len(chosen) == 1, f"{kind} selects {len(chosen)}"
    for template in pods.values():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for volume in volumes.values():
            assert "configMap" not in volume or volume["configMap"]["name"] in config_maps
        for container in containers(pod):
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            check_arguments(container["args"])
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in ports
                    assert container[probe]["httpGet"]["path"] in ("/healthz", "/readyz")


def check_arguments(arguments: list[str]) -> None:
    """What a container runs is a command of the wheel, with options that it has."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert command is not None
    # click keeps a command's help option as its first context has it: the one of the product.
    context = click.Context(command, help_option_names=cli.context_settings["help_option_names"])
    command.make_parser(context).parse_args(list(arguments[1:]))


@needs_helm
def test_rules_and_dashboards_are_those_of_deploy() -> None:
    made = objects(render(*EVERYTHING))
    rules = yaml.safe_load((ROOT / "deploy/prometheus/driftstream.rules.yml").read_text())
    assert made["PrometheusRule", "drift-driftstream"]["spec"] == rules
    for name in ("fleet", "model", "pipeline"):
        board = made["ConfigMap", f"drift-driftstream-dashboard-{name}"]["data"]
        text = (ROOT / f"deploy/grafana/dashboards/{name}.json").read_text()
        assert board == {f"driftstream-{name}.json": text}


@needs_helm
def test_a_config_that_cannot_be_probed_is_refused() -> None:
    done = helm("template", "x", str(CHART), "--kube-version", KUBERNETES, "--set", "config=a")
    assert done.returncode != 0
    assert "metrics_address must be" in done.stderr


@needs_helm
@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("values", [(), EVERYTHING], ids=["defaults", "everything"])
def test_kubernetes_knows_every_field(values: tuple[str, ...]) -> None:
    env = os.environ | {"GOFLAGS": "-mod=readonly"}
    built = subprocess.run(
        ["go", "vet", "."], cwd=HERE / "kubernetes", capture_output=True, text=True, env=env
    )
    if built.returncode:
        pytest.skip(f"Kubernetes' types cannot be had: {built.stderr[-300:]}")
    done = subprocess.run(
        ["go", "run", "."],
        cwd=HERE / "kubernetes",
        input=render(*values),
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.split("\n")
    assert sum(line.startswith("ok ") for line in said) >= 5
    # Of the Prometheus operator, whose types are not asked for.
    unknown = {line.split()[1] for line in said if line.startswith("unknown")}
    assert unknown <= {"ServiceMonitor", "PrometheusRule"}


def test_values_hold_a_config_that_parses() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    config = tomllib.loads(values["config"])
    assert config["worker"]["metrics_address"] == "0.0.0.0:9464"
    for table in (values["worker"], values["notify"]):
        assert table["resources"]["limits"]["memory"]


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]
