"""Rules as tested code: promtool's linter and unit tests, a runbook and a test for every alert."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from stream.contracts.alert_event import Kind

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = PROMETHEUS / "driftstream.rules.yml"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (it comes with Debian's package prometheus)",
)


def alerts() -> dict[str, str]:
    """Name of each alert -> its lines in the rules file."""
    parts = re.split(r"^ +- (alert|record): ", RULES.read_text(), flags=re.M)
    rules = zip(parts[1::2], parts[2::2])
    return {text.split("\n", 1)[0]: text for kind, text in rules if kind == "alert"}


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_and_the_server_config_are_valid() -> None:
    promtool("check", "rules", RULES.name)
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "driftstream.rules.test.yml")


def test_the_server_loads_the_rules() -> None:
    assert f"rule_files: [{RULES.name}]" in (PROMETHEUS / "prometheus.yml").read_text()


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_what_to_do_and_is_tested(name: str) -> None:
    text = alerts()[name]
    for said in ("summary: ", "description: ", "runbook_url: "):
        assert said in text
    url = re.search(r'runbook_url: "?docs/runbooks/([^"\n]+)', text)
    assert url is not None
    if "{{ $labels.kind }}" not in url[1]:
        page = (RUNBOOKS / url[1]).read_text()
        assert f"`{name}`" in page, f"{url[1]} does not say that it is about {name}"
    assert f"`{name}`" in (RUNBOOKS / "README.md").read_text()
    tests = (PROMETHEUS / "driftstream.rules.test.yml").read_text()
    fires = re.search(rf"alertname: {name}\n +exp_alerts:\n +- exp_labels", tests)
    assert fires, f"no test in which {name} fires"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_a_runbook(kind: str) -> None:
    page = (RUNBOOKS / f"{kind}.md").read_text()
    assert page.startswith("# ")
    assert "## First look" in page
    assert "## What to do" in page


def test_links_of_the_runbooks_lead_somewhere() -> None:
    for page in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            path = target.partition("#")[0]  # tests/docs look for the heading
            assert (RUNBOOKS / path).exists(), f"{page.name} links to {target}"


def test_rules_name_only_metrics_that_exist() -> None:
    from stream.notify.metrics import NotifyCollector
    from stream.notify.notify_status import NotifyStatus
    from tests.stream.metrics.test_metrics import CONTRACT

    notifier = {family.name for family in NotifyCollector(NotifyStatus()).collect()}
    known = {f"driftstream_{name}" for name in CONTRACT} | {
        "driftstream_frontier_timestamp_seconds",
        *notifier,
        *(f"{name}_total" for name in notifier),
    }
    text = RULES.read_text()
    assert set(re.findall(r"\bdriftstream_[a-z_0-9]+", text)) <= known
    recorded = set(re.findall(r"record: (\S+)", text))
    assert set(re.findall(r"\bdriftstream:[a-z_0-9:]+", text)) <= recorded


@pytest.mark.skipif(
    shutil.which("amtool") is None,
    reason="amtool is not installed (it comes with Debian's package prometheus-alertmanager)",
)
def test_the_alertmanager_config_is_valid() -> None:
    config = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
    done = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
