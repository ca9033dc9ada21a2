"""Worlds of predictions and labels in several source partitions, and a naive join of them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from stream.join.joiner import AHEAD_MS, Joined, Joiner
from stream.join.rows import ERASE, LABEL, PREDICTION, RowBatch, numbered, row_dtype

HOUR = 3_600_000
WAIT = 30 * HOUR
PARTITIONS = ("p0", "p1", "p2", "l0", "l1")


class Row(NamedTuple):
    """One row; times are in hours."""

    time: int
    kind: int
    id: int
    value: float
    code: int
    region: str | None = None


#: The rows of each partition, in the order of its log.
World = dict[str, list[Row]]


def world(rng: random.Random, ids: int = 120) -> World:
    """Predictions of hours apart, copies and ids used again, labels from ahead to too late."""
    parts: World = {name: [] for name in PARTITIONS}
    now = 100

    def predict(time: int, identity: int) -> None:
        said = Row(
            time, PREDICTION, identity, rng.choice([0.25, 0.5]), rng.randrange(3),
            rng.choice([None, "n", "s"]),
        )  # fmt: skip
        parts[rng.choice(PARTITIONS[:3])].append(said)

    def label(kind: int, time: int, identity: int) -> None:
        row = Row(time, kind, identity, 0.0, rng.randrange(2) if kind == LABEL else 0)
        parts[rng.choice(PARTITIONS[3:])].append(row)

    for identity in range(1, ids + 1):
        now += rng.randint(0, 2)
        predict(now, identity)
        if rng.random() < 0.3:  # again, as a copy or after its time
            predict(now + rng.choice([0, 0, 1, 3, 30, 40, 54, 55, 70]), identity)
        if rng.random() < 0.85:
            at = now + rng.choice([-30, -24, -2, 0, 1, 5, 20, 29, 30, 31, 40, 60])
            label(LABEL, at, identity)
            while rng.random() < 0.4:  # a correction, or the same once more
                label(LABEL, at + rng.randint(0, 25), identity)
            if rng.random() < 0.15:
                label(ERASE, at + rng.randint(-3, 25), identity)
    for rows in parts.values():
        rows.sort(key=lambda row: row.time + rng.choice([0, 0, 0, 2]))  # nearly in order
    return parts


def batch(rows: Sequence[Row], first: int) -> RowBatch:
    """Rows as a writer sends them, which numbers names as they come."""
    out = np.zeros(len(rows), row_dtype(2))
    for i, row in enumerate(rows):
        out[i]["offset"] = first + i
        out[i]["id"], out[i]["time_ms"], out[i]["kind"] = row.id, row.time * HOUR, row.kind
        out[i]["value"], out[i]["code"] = row.value, row.code
    out["scopes"], names = numbered([["v1"] * len(rows), [row.region for row in rows]], len(rows))
    return RowBatch.decode(RowBatch(out, names).encode())


def complete_ms(rows: Sequence[Row], read: int) -> int:
    """Up to when a partition is complete that was read so far."""
    return min((row.time for row in rows[read:]), default=10_000) * HOUR


def listed(view: str, joined: Joined, joiner: Joiner) -> list[tuple[Any, ...]]:
    """What was joined, one tuple each."""
    regions = [None, *joiner.names[1]]
    return [
        (
            view, identity, row["time_ms"] // HOUR, at // HOUR, float(row["value"]),
            int(row["code"]), regions[int(row["scopes"][1])], label if known else None,
        )
        for identity, row, at, label, known in zip(
            joined.ids.tolist(), joined.predictions, joined.at_ms.tolist(),
            joined.predictions["label"].tolist(), joined.labelled.tolist(), strict=True,
        )
    ]  # fmt: skip


def step(joiner: Joiner) -> list[tuple[Any, ...]]:
    """What has settled now."""
    settled = joiner.settle()
    if settled is None:
        return []
    found = listed("first", settled.first, joiner) + listed("final", settled.final, joiner)
    assert all(settled.from_ms <= each[3] * HOUR < settled.to_ms for each in found)
    return found


def naive(parts: World, until: int = 10_000) -> tuple[Counter[Any], dict[str, int]]:
    """The join and its counts, id by id over all rows."""
    wait, ahead = WAIT // HOUR, AHEAD_MS // HOUR
    by_id: dict[int, list[Row]] = defaultdict(list)
    for row in (row for rows in parts.values() for row in rows):
        by_id[row.id].append(row)
    out: Counter[Any] = Counter()
    n: Counter[str] = Counter()
    for identity, rows in by_id.items():
        labels = sorted((r.time, r.code) for r in rows if r.kind == LABEL)
        erasures = [r.time for r in rows if r.kind == ERASE]
        used = 0
        closed = -1
        said = [r for r in rows if r.kind == PREDICTION]
        for p in sorted(said, key=lambda r: (r.time, r.value, r.code, r.region or "")):
            if p.time <= closed:
                n["copies"] += 1
                continue
            closed = p.time + wait + ahead
            n["predictions"] += 1
            own = [pair for pair in labels if p.time - ahead <= pair[0] <= p.time + wait]
            used += len(own)
            gone = [max(e, p.time) for e in erasures if p.time - ahead <= e <= p.time + wait]
            end = min(gone, default=10**9)
            alive = [(max(time, p.time), code) for time, code in own if max(time, p.time) < end]
            head = (p.value, p.code, p.region)
            if alive:
                n["labelled"] += 1
                out["first", identity, p.time, alive[0][0], *head, float(alive[0][1])] += 1
            for (_, before), (_, now) in pairwise(alive):
                n["repeated" if before == now else "corrected"] += 1
            if gone:
                n["erased"] += 1
            elif p.time + wait < until:
                n["known" if alive else "unknown"] += 1
                last = float(alive[-1][1]) if alive else None
                out["final", identity, p.time, p.time + wait, *head, last] += 1
        n["unmatched"] += len(labels) - used
    return out, {key: times for key, times in n.items() if times}


def run(
    parts: World, rng: random.Random, make: Callable[..., Joiner] = Joiner, *, kills: bool = True
) -> tuple[Counter[Any], dict[str, int], set[Any]]:
    """Read a world in a random interleaving, with kills and zombies.

    What was joined, its counts, and all that was ever given out, by joiners that were killed too.
    """

    def fresh() -> Joiner:
        return make(PARTITIONS, 2, WAIT)

    joiner, at = fresh(), dict.fromkeys(PARTITIONS, 0)
    out: list[Any] = []
    ever: set[Any] = set()
    saved, saved_out, saved_at = joiner.dump(), 0, dict(at)
    while any(at[name] < len(rows) for name, rows in parts.items()):
        name = rng.choice([name for name, rows in parts.items() if at[name] < len(rows)])
        end = at[name] + rng.randint(1, 15)
        joiner.add(name, batch(parts[name][at[name] : end], at[name]))
        at[name] = min(end, len(parts[name]))
        joiner.complete(name, complete_ms(parts[name], at[name]))
        if rng.random() < 0.5:
            found = step(joiner)
            out += found
            ever |= set(found)
        chance = rng.random() if kills else 1.0
        if chance < 0.1:
            saved, saved_out, saved_at = joiner.dump(), len(out), dict(at)
        elif chance < 0.16:  # killed: another begins where the last snapshot says
            joiner = fresh()
            joiner.load(saved)
            del out[saved_out:]
            at = dict(saved_at)
        elif chance < 0.25:  # a zombie sends rows again
            name = rng.choice(PARTITIONS)
            first = max(0, at[name] - 10)
            if first < at[name]:
                joiner.add(name, batch(parts[name][first : at[name]], first))
    for name, rows in parts.items():
        joiner.complete(name, complete_ms(rows, len(rows)))
    found = step(joiner)
    out += found
    ever |= set(found)
    counts = {key: n for key, n in asdict(joiner.counts).items() if n and key != "again"}
    return Counter(out), counts, ever
