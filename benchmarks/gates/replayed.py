"""Real streams through `driftstream fit` and `replay`, with the settings of who sets nothing."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from benchmarks.gates.measured import MOST_IN_ALARM, Measured, exactly, rate_of, time_in_alarm

__all__ = [
    "by_commands",
    "insects_null",
    "insects_spliced",
    "nab_null",
    "prequential_errors",
    "replay",
    "sea",
    "share_in_alarm",
]

WEEK_S = 604_800
#: 2026-01-01, whole weeks after the epoch: smaller numbers in a file are no times.
FIRST_S = 2_922 * WEEK_S
SPLICES = 10
#: A stream's first rows are left out, since a classifier is still learning there.
LEARNING = 1_000
SEA_REFERENCE = 5_000
SEA_CHANGES = (12_500, 25_000, 37_500)


def replay(
    reference: np.ndarray, stream: np.ndarray, *, seconds: float = 1.0, cycle: str = ""
) -> tuple[list[dict[str, object]], float]:
    """Alert events of float64[n, S] under a reference float64[m, S], and where the stream starts.

    Rows are `seconds` apart from `FIRST_S` on, the stream's after the reference's.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = FIRST_S + len(reference) * seconds
        for file, rows, first in (("a", reference, float(FIRST_S)), ("b", stream, start)):
            with (folder / f"{file}.csv").open("w", newline="") as out:
                write = csv.writer(out)
                write.writerow(["time", *(f"s{i}" for i in range(rows.shape[1]))])
                write.writerows([first + i * seconds, *row] for i, row in enumerate(rows.tolist()))
        return by_commands(folder, *(["--cycle", cycle] if cycle else [])), start


def by_commands(folder: Path, *options: str) -> list[dict[str, object]]:
    """Alert events of `b.csv` under a reference of `a.csv`, fitted with these options.

    Both have a column `time`.
    """
    from stream.commands.fit import command as fit_command
    from stream.commands.replay import command as replay_command

    fit = [f"{folder}/a.csv", "--model", "m", "--timestamp", "time", "-o", f"{folder}/r.json"]
    run = [f"{folder}/b.csv", "--reference", f"{folder}/r.json", "--alerts", f"{folder}/alerts"]
    for command, call in ((fit_command, [*fit, *options]), (replay_command, run)):
        result = CliRunner().invoke(command, call, catch_exceptions=False)
        if result.exit_code:
            raise RuntimeError(f"{command.name} {' '.join(call)}: {result.output}")
    lines = (folder / "alerts").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _openings(alerts: Sequence[dict[str, object]]) -> int:
    """Episodes of drift; a stream that ends is none."""
    return len({a["data"]["episode"] for a in alerts})  # type: ignore[index]


def _spans(
    alerts: Sequence[dict[str, object]], start: float, weeks: float
) -> list[tuple[float, float]]:
    """When each episode was open, in order."""
    spans: dict[str, tuple[float, float]] = {}
    for alert in alerts:
        data: dict[str, object] = alert["data"]  # type: ignore[assignment]
        begins = datetime.fromisoformat(str(data["startsAt"])).timestamp()
        ends = start + weeks * WEEK_S
        if data["status"] == "resolved":
            ends = min(ends, datetime.fromisoformat(str(data["endsAt"])).timestamp())
        spans[str(data["episode"])] = (begins, ends)
    return sorted(spans.values())


def share_in_alarm(alerts: Sequence[dict[str, object]], start: float, weeks: float) -> float:
    """Share of the time of a stream in which an episode was open."""
    covered, reached = 0.0, start
    for begins, ends in _spans(alerts, start, weeks):
        covered += max(0.0, ends - max(begins, reached))
        reached = max(reached, ends)
    return covered / (weeks * WEEK_S)


def _firing(alerts: Sequence[dict[str, object]], start: float, seconds: float) -> list[float]:
    """Rows of the stream at which something was found: openings and revisions that fire."""
    rows = []
    for alert in alerts:
        data: dict[str, object] = alert["data"]  # type: ignore[assignment]
        if data["status"] == "firing":
            at = datetime.fromisoformat(str(alert["time"])).timestamp()
            rows.append((at - start) / seconds)
    return rows


def _null(
    what: str,
    counted: str,
    streams: Sequence[tuple[list[dict[str, object]], float]],
    weeks: float,
    note: str,
) -> list[Measured]:
    """Episodes a week, and time in alarm, of streams without a change."""
    opened = [_openings(alerts) for alerts, _ in streams]
    shares = [share_in_alarm(alerts, start, weeks) for alerts, start in streams]
    rate = rate_of(np.array(opened), weeks)
    note = f"{sum(opened)} episodes in {weeks * len(opened):.1f} weeks; {note}"
    return [
        Measured(f"{what}: {counted}", *rate, most=1.0, note=note),
        time_in_alarm(what, shares, MOST_IN_ALARM, "time"),
    ]


def insects_null(
    rows: np.ndarray, shuffles: int, block: int = 100, seed: int = 211
) -> list[Measured]:
    """Rows 15,000 to 22,999 in shuffled blocks, a row a minute: a half each."""
    blocks = rows[15_000:23_000].reshape(-1, block, rows.shape[1])
    rng = np.random.default_rng(seed)
    streams = []
    for _ in range(shuffles):
        mixed = blocks[rng.permutation(len(blocks))].reshape(-1, rows.shape[1])
        streams.append(replay(mixed[:4_000], mixed[4_000:], seconds=60.0))
    return _null(
        "replay of INSECTS without change",
        "episodes a week",
        streams,
        4_000 * 60 / WEEK_S,
        f"33 features, a row a minute, {shuffles} shuffles of blocks of {block}",
    )


def insects_spliced(rows: np.ndarray, splices: int = SPLICES, seed: int = 212) -> list[Measured]:
    """A half of the still stretch, then the other one: rows from the change to the first alert."""
    delays, early = [], 0
    for k in range(splices):
        rng = np.random.default_rng(seed + k)
        still = rows[15_000:23_000][rng.permutation(8_000)]
        stream = np.concatenate([still[4_000:], rows[:8_000][rng.permutation(8_000)][:4_000]])
        alerts, start = replay(still[:4_000], stream)
        at = _firing(alerts, start, 1.0)
        early += sum(row <= 4_000 for row in at)
        delays.append(min((row - 4_000 for row in at if row > 4_000), default=np.inf))
    note = f"{splices} splices, 33 features; {early} alerts before the change"
    return [
        Measured(
            "replay of INSECTS spliced: rows to the first alert, slowest",
            *exactly(float(max(delays))),
            most=400.0,
            note=note,
        )
    ]


def nab_null(name: str, values: np.ndarray) -> list[Measured]:
    """A file of NAB without anomaly: its first week is the reference, the second the stream."""
    week = WEEK_S // 300
    cycle = "24h" if "daily" in name else ""
    stream = replay(values[:week, None], values[week:, None], seconds=300.0, cycle=cycle)
    told = "cycle 24 h" if cycle else "no cycle"
    return _null(
        f"replay of NAB art_{name}",
        "episodes in its second week",
        [stream],
        1.0,
        f"{told}, a value every 5 min",
    )


def prequential_errors(x: np.ndarray, y: np.ndarray, block: int = 50) -> np.ndarray:
    """1 where naive Bayes is wrong that is tested on each block of rows, then trained on it."""
    errors = np.ones(len(y))
    classes = np.unique(y)
    for start in range(block, len(y), block):
        part = slice(start, start + block)
        scores = []
        for c in classes:
            of = x[:start][y[:start] == c]
            mean, var = of.mean(axis=0), of.var(axis=0)
            likelihood = -0.5 * (np.square(x[part] - mean) / var + np.log(var)).sum(axis=1)
            scores.append(np.log(len(of)) + likelihood)
        errors[part] = classes[np.argmax(scores, axis=0)] != y[part]
    return errors


def _grows(errors: np.ndarray, change: int, rows: int) -> bool:
    """Whether errors are more after a change than before it, by three standard errors."""
    before, after = errors[max(0, change - rows) : change], errors[change : change + rows]
    spread = np.sqrt(before.var() / len(before) + after.var() / len(after))
    return bool(after.mean() - before.mean() > 3.0 * spread)


def sea(table: np.ndarray) -> list[Measured]:
    """Errors of a classifier on SEA, whose concept changes three times.

    Where the errors grow, that must be told. At change 2 they do not: 15.1 % before it and 15.3 %
    after it, above the reference's 11.3 % all along. There an episode must be open, old or new.
    """
    errors = prequential_errors(table[:, :3], table[:, 3])[LEARNING:, None]
    alerts, start = replay(errors[:SEA_REFERENCE], errors[SEA_REFERENCE:])
    first = LEARNING + SEA_REFERENCE
    at = np.array(_firing(alerts, start, 1.0)) + first
    spans = np.array(_spans(alerts, start, (len(errors) - SEA_REFERENCE) / WEEK_S))
    spans = spans.reshape(-1, 2) - start + first
    rows = []
    early = int((at <= SEA_CHANGES[0]).sum())
    for k, change in enumerate(SEA_CHANGES):
        told = at[(at > change) & (at <= change + 12_500)] - change
        what = "the next alert"
        if not _grows(errors[:, 0], change - LEARNING, 12_500):
            what = "an open episode (errors do not grow)"
            open_after = spans[(spans[:, 1] > change) & (spans[:, 0] <= change + 12_500), 0]
            told = np.maximum(open_after - change, 0.0)
        delay = float(told.min()) if told.size else float("inf")
        note = f"error stream of naive Bayes, a row a second; {early} alerts before any change"
        rows.append(
            Measured(
                f"replay of SEA: rows from change {k + 1} to {what}",
                *exactly(delay),
                most=1_000.0,
                note=note,
            )
        )
    return rows
