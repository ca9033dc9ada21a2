"""Days that are known to be unusual in a real stream, taxis of New York, from its first day on.

NAB labels five weeks of them: of the marathon, Thanksgiving, Christmas, New Year and a snow storm.
The first four weeks, of which the 4th of July is one day, are the reference.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.gates.measured import Measured, exactly
from benchmarks.gates.replayed import WEEK_S, by_commands, share_in_alarm

__all__ = ["taxi"]

_FILE = "realKnownCause/nyc_taxi.csv"
_NAMED = re.compile(r"unusually (?:low|high|spread) on (\d{4}-\d\d-\d\d)")


def taxi(data: Path, weeks: int = 4) -> list[Measured]:
    """How many of the labelled weeks are named, under a reference of the first weeks."""
    with (data / "nab" / "data" / _FILE).open() as file:
        rows = list(csv.reader(file))[1:]
    labels = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text())[_FILE]
    start = datetime.fromisoformat(rows[0][0]) + timedelta(weeks=weeks)
    cut = next(i for i, row in enumerate(rows) if datetime.fromisoformat(row[0]) >= start)
    with tempfile.TemporaryDirectory() as name:
        for part, held in (("a", rows[:cut]), ("b", rows[cut:])):
            with (Path(name) / f"{part}.csv").open("w", newline="") as out:
                csv.writer(out).writerows([["time", "passengers"], *held])
        alerts = by_commands(Path(name), "--slots", "auto")
    days = _days(alerts)
    spans = [(begin[:10], end[:10]) for begin, end in labels]
    hit = [any(begin <= day <= end for day in days) for begin, end in spans]
    outside = [day for day in days if not any(begin <= day <= end for begin, end in spans)]
    what = f"replay of NAB nyc_taxi, reference of its first {weeks} weeks"
    watched = (datetime.fromisoformat(rows[-1][0]) - start).total_seconds() / WEEK_S
    in_alarm = share_in_alarm(alerts, start.replace(tzinfo=UTC).timestamp(), watched)
    return [
        Measured(
            f"{what}: labelled weeks of {len(spans)} of which a day is named",
            *exactly(float(sum(hit))),
            least=4.0,
            note=", ".join(days),
        ),
        Measured(
            f"{what}: days that are named outside of them",
            *exactly(float(len(outside))),
            most=1.0,
            note=", ".join(outside),
        ),
        Measured(f"{what}: share of time in alarm", *exactly(in_alarm)),
    ]


def _days(alerts: Sequence[dict[str, object]]) -> list[str]:
    """Dates of which alerts say that they were unusual."""
    return sorted({day for alert in alerts for day in _NAMED.findall(json.dumps(alert))})
