"""Runbooks are there for whoever is woken: from the installed package, by any name of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from click.testing import CliRunner, Result

from stream.cli import cli
from stream.contracts.alert_event import Kind
from stream.notify.targets.alertmanager import alertmanager_alert
from stream.notify.targets.slack import slack_message
from stream.page.recent import RecentEpisodes
from stream.runbooks import UnknownRunbookError, find_runbook, runbooks
from tests.stream.notify_tools import alert

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "runbooks"
KINDS = get_args(Kind)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["runbook", *arguments], prog_name="driftstream")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_one(kind: str) -> None:
    said = run(kind)
    assert (said.exit_code, said.stdout) == (0, (DOCS / f"{kind}.md").read_text())
    assert "## First look" in said.stdout


def test_without_a_kind_all_are_listed() -> None:
    lines = run().stdout.splitlines()
    first = [line.split()[0] for line in lines if line]
    assert first[1 : 1 + len(KINDS)] == list(KINDS)
    assert {path.stem for path in DOCS.glob("*.md")} - {"README"} == set(runbooks())
    assert set(runbooks()) <= set(first)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Data drift", "data_drift"),
        ("data-drift", "data_drift"),
        ("lag", "lag"),
        ("late-events.md", "late-events"),
        ("DriftstreamAlertsLate", "lag"),
        ("driftstreamfrontierstuck", "watermark-stuck"),
    ],
)
def test_names_that_people_have_at_hand_lead_there(said: str, name: str) -> None:
    assert find_runbook(said).name == name


@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("data_drfit", "data_drift"),
        ("dead-leters", "dead-letters"),
        ("concept", "concept_drift"),
        ("DriftstreamWorkerDwon", "worker-down"),
    ],
)
def test_what_is_near_is_named(said: str, near: str) -> None:
    done = run(said)
    assert done.exit_code == 2
    assert f"there is no runbook '{said}'. Did you mean {near}?" in done.stderr


def test_where_nothing_is_near_all_are_named() -> None:
    with pytest.raises(UnknownRunbookError, match=r"There are: data_drift, .*worker-down"):
        find_runbook("qqq")
    assert "'\\x1b[2J'" in run("\x1b[2J").stderr, "a name steers no terminal"


def test_an_installed_package_has_them(tmp_path: Path) -> None:
    """Source distribution, wheel of it, and the command from there, away from any checkout."""

    def build(kind: str, source: Path) -> Path:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", tmp_path],
            cwd=source,
            check=True,
            capture_output=True,
        )
        (made,) = tmp_path.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[kind])
        return made

    with tarfile.open(build("sdist", ROOT)) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    installed = tmp_path / "installed"
    zipfile.ZipFile(build("wheel", source)).extractall(installed)
    script = (
        "import sys, stream; from stream.cli import main; print(stream.__file__, file=sys.stderr); "
        "sys.argv = ['driftstream', 'runbook', 'dead-letters']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert Path(done.stderr.strip()).is_relative_to(installed)
    assert done.stdout == (DOCS / "dead-letters.md").read_text()


def test_alerts_without_an_address_name_the_command() -> None:
    """And those with one have that alone."""
    bare = alert("fraud")
    said = msgspec.structs.replace(bare.data.annotations, runbook_url="https://r/data_drift")
    linked = msgspec.structs.replace(
        bare, data=msgspec.structs.replace(bare.data, annotations=said)
    )
    bare = msgspec.structs.replace(
        bare,
        data=msgspec.structs.replace(
            bare.data, annotations=msgspec.structs.replace(said, runbook_url="")
        ),
    )
    kind = bare.data.labels.kind
    command = f"driftstream runbook {kind}"
    assert f"`{command}`" in slack_message(bare).decode()
    assert command not in slack_message(linked).decode()
    assert "<https://r/data_drift|Runbook>" in slack_message(linked).decode()
    posted = alertmanager_alert(bare, 10, 20)["annotations"]
    assert (posted["runbook"], "runbook_url" in posted) == (command, False)
    posted = alertmanager_alert(linked, 10, 20)["annotations"]
    assert (posted["runbook_url"], "runbook" in posted) == ("https://r/data_drift", False)
    for event, address in ((bare, f"runbooks/{kind}"), (linked, "https://r/data_drift")):
        recent = RecentEpisodes()
        recent.note(event)
        assert [row.runbook for row in recent.rows()] == [address]
