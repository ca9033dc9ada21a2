"""What surrounds the code says the same in each place: workflow, hooks, versions, templates."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.M))
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


def steps(job: str) -> list[str]:
    return [step["run"] for step in CI["jobs"][job]["steps"] if "run" in step]


def test_the_workflow_runs_what_ci_runs_on_every_python_that_is_supported() -> None:
    made = [run for run in steps("test") if run.startswith("make ")]
    assert made == ["make install", "make axe", "make check", "make test"]
    ci_run = (ROOT / ".ci" / "run").read_text()
    assert all(run in ci_run for run in made)
    supported = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.M)
    assert CI["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


def test_the_workflow_installs_the_packages_that_ci_installs() -> None:
    """But for a browser, npm and venv, which its machines have."""
    wanted = re.findall(r"^need \S+ (\S+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    (line,) = [run for run in steps("test") if "apt-get install" in run]
    installed = line.partition("--no-install-recommends ")[2].split()
    assert sorted(installed) == sorted({*wanted} - {"make", "chromium-headless-shell", "npm"})


def test_the_workflow_may_write_nothing_and_needs_no_services() -> None:
    assert CI["permissions"] == {"contents": "read"}
    for job in CI["jobs"].values():
        assert "services" not in job
        assert "permissions" not in job
        for step in job["steps"]:
            assert step.get("uses", "actions/").startswith("actions/")
            assert "secrets." not in str(step)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", ".github/workflows/ci.yml"])
def test_make_targets_that_are_named_are_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = {
        target
        for words in re.findall(r"(?:`|run: )make ([a-z -]+)", text)
        for target in words.split()
        if not target.startswith("-")
    }
    assert named
    assert named <= TARGETS


def test_the_hook_is_make_check() -> None:
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repo["hooks"]
    assert (repo["repo"], hook["language"], hook["entry"]) == ("local", "system", "make check")
    assert hook["pass_filenames"] is False


def test_the_versions_are_one() -> None:
    chart = yaml.safe_load((ROOT / "deploy/helm/driftstream/Chart.yaml").read_text())
    assert chart["appVersion"] == PROJECT["version"]
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert first is not None
    assert first[1] in (PROJECT["version"], "unreleased")


@pytest.mark.parametrize("name", ["bug.yml", "idea.yml"])
def test_templates_of_issues_are_forms(name: str) -> None:
    form: dict[str, Any] = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / name).read_text())
    assert {"name", "description", "body"} <= form.keys()
    assert len(form["body"]) <= 3
    identities = [field["id"] for field in form["body"]]
    assert len(set(identities)) == len(identities)
    assert any(field.get("validations", {}).get("required") for field in form["body"])


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_nothing_public_names_a_machine() -> None:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-co",
            "--exclude-standard",
            ".github",
            "*.yaml",
            "*.yml",
            "SECURITY.md",
            "CONTRIBUTING.md",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    for name in listed.stdout.splitlines():
        text = (ROOT / name).read_text()
        found = re.search(r"--index-url|/(home|root)/", text)
        assert found is None, f"{name}: {found}"
