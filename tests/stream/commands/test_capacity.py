"""The arithmetic of `driftstream capacity`: its lines follow from its constants."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.capacity import FORMS, UNITS, Load, capacity
from stream.cli import cli

DOCS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"


def lines(load: Load) -> dict[str, str]:
    return {line.what: line.value for line in capacity(load)}


def test_the_arithmetic():
    units = replace(
        UNITS,
        event_us={"json": 2.0},
        value_us={"json": 0.1},
        entry_us=100.0,
        entry_signal_us=5.0,
        entry_bytes=100.0,
        entry_signal_bytes=50.0,
        scope_bytes=1e6,
        scope_signal_bytes=0.0,
        model_bytes=0.0,
        model_signal_bytes=1e6,
        worker_bytes=1e8,
    )
    found = {
        line.what: line.value for line in capacity(Load(250_000, 20, models=10, segments=9), units)
    }
    # 250,000 x 4 us = 1 core; with 100 scopes x 6 partitions / 10 s a little more: 3 half busy
    assert found == {
        "stage 1": "1 cores",
        "panes": "60 a second",
        "stage 2": "0.012 cores",
        "workers": "3",
        "partitions": "6",
        "summaries": "66 KB/s, 5.7 GB a day",
        "summaries topic": "5.7 GB",
        "memory of all workers": "600 MB",
    }


def test_quiet_models_have_a_pane_an_event_at_most():
    assert lines(Load(0.01, 20, models=2_000))["panes"] == "0.01 a second"
    assert lines(Load(1, 20, models=100, segments=100))["panes"] == "2 a second"


@pytest.mark.parametrize("form", FORMS)
def test_more_needs_more(form):
    def cores(**more):
        load = replace(Load(10_000, 20, form=form), **more)
        return float(lines(load)["stage 1"].split()[0])

    assert cores(signals=40) > cores()
    assert cores(events_per_second=20_000) == pytest.approx(2 * cores(), rel=0.01)
    assert cores(form="arrow") <= cores() <= cores(form="json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"signals": 0}, "signals must be > 0"),
        ({"events_per_second": float("inf")}, "events_per_second must be > 0 and finite"),
        ({"segments": -1}, "segments must be >= 0"),
        ({"form": "xml"}, "form must be one of json, batch, arrow"),
    ],
)
def test_mistakes(change, words):
    with pytest.raises(ValueError, match=words):
        list(capacity(replace(Load(1, 1), **change)))


def test_the_command_shows_the_arithmetic():
    done = CliRunner().invoke(
        cli, ["capacity", "--events-per-second", "10000", "--signals", "20", "--models", "10"]
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"stage 1 +0\.0\d+ cores\n += 10,000 events/s x ", done.output)
    assert UNITS.source in done.output


def test_the_table_in_the_docs_is_of_these_constants():
    from benchmarks.capacity_table import table

    assert table() in DOCS.read_text()
