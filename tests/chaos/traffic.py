"""What the producers of a chaos run send: seeded, with the changes that were put in known.

Three models on one topic. `fraud` has two versions, segments and a change every so often; the
windows of `ledger` never close, so that all of its counts are in the last snapshot. Both have
scores and most of their truths. `insects` are real rows, where there are any. Arrival is shuffled
within the lateness, some records come twice and some are broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from detectors import fit_reference
from stream.plans.plan import Plan
from tests import insects

__all__ = ["LATENESS_MS", "PANE_MS", "Message", "Phase", "Traffic"]

BASE_MS: Final = 1_735_689_600_000  # 2025-01-01
PANE_MS: Final = 5_000
LATENESS_MS: Final = 2_000
#: Far behind everything: one such event in each partition seals all that was before. Not so far
#: that the versions of before are forgotten.
CLOSING_MS: Final = BASE_MS + 30 * 86_400_000
_AGREEING: Final = 40
#: Between two events. By turns a chunk ends by its span of time and by its number of records.
STEPS_MS: Final = (20, 2)
#: Events of one step between two events, and of one state of the world.
PHASE_EVENTS: Final = 25_000
SLICE_EVENTS: Final = 1_000
N_SIGNALS: Final = 4
KINDS: Final = ("a", "b", "c", "new")
_NEVER: Final = {"window_max_age_ms": 10**12}


class Message(NamedTuple):
    """One record: arrival times never decrease and are the records' timestamps."""

    partition: int
    arrival_ms: int
    value: bytes


class Phase(NamedTuple):
    """A run of events; `moved` are the signals of `fraud` that are not as in the reference."""

    start_ms: int
    end_ms: int
    moved: tuple[int, ...]


class Traffic:
    """`n_events` events and what is known of them; the same for the same arguments.

    Parameters
    ----------
    seed, n_events, partitions
    topic : str
        What the plans read.
    real : bool
        Whether INSECTS rows are among them; a test is skipped where there are none.
    """

    def __init__(
        self, seed: int, n_events: int, partitions: int, topic: str, *, real: bool = True
    ) -> None:
        self.seed, self.n_events, self.partitions = seed, n_events, partitions
        self._rows = insects.table() if real else None
        rng = np.random.default_rng([seed, 0])
        self.phases: list[Phase] = []
        at = BASE_MS
        for i in range(0, n_events, PHASE_EVENTS):
            step = STEPS_MS[i // PHASE_EVENTS % 2]
            end = at + step * min(PHASE_EVENTS, n_events - i)
            changed = tuple(sorted(rng.choice(N_SIGNALS, 2, replace=False).tolist()))
            self.phases.append(Phase(at, end, changed if i // PHASE_EVENTS % 4 in (1, 2) else ()))
            at = end
        self.plans = [_plan("fraud", topic, ("region",), window_events=2_000)]
        self.plans.append(_plan("ledger", topic, ("region",), window_events=10**9))
        if self._rows is not None:
            reference = insects.reference(self._rows)
            settings = {"pane_ms": PANE_MS, "lateness_ms": LATENESS_MS, **_NEVER}
            self.plans.append(
                Plan(model=insects.MODEL, reference=reference, topic=topic, **settings)
            )

    def slices(self) -> Iterator[list[Message]]:
        """All messages, some thousands at a time."""
        for number, first in enumerate(range(0, self.n_events, SLICE_EVENTS)):
            phase = self.phases[first // PHASE_EVENTS]
            n = min(SLICE_EVENTS, self.n_events - first)
            rng = np.random.default_rng([self.seed, 1, number])
            step = STEPS_MS[first // PHASE_EVENTS % 2]
            times = phase.start_ms + step * (first % PHASE_EVENTS + np.arange(n))
            yield self._slice(rng, times, phase.moved, first)

    def _slice(
        self, rng: np.random.Generator, times: np.ndarray, moved: tuple[int, ...], first: int
    ) -> list[Message]:
        n = len(times)
        values = self._values(rng, times, moved, first)
        for i in np.flatnonzero(rng.random(n) < 0.001).tolist():
            values[i] = values[i][: rng.integers(1, 40)]
        # A producer that tried again: the record is there twice, at another place.
        which = np.concatenate([np.arange(n), np.flatnonzero(rng.random(n) < 0.01)])
        last = int(times[-1])
        arrival = times[which] + rng.integers(0, LATENESS_MS * 9 // 10, len(which))
        arrival = np.minimum(arrival, last)  # the next slice comes after this one
        order = np.argsort(arrival, kind="stable")
        partition = rng.integers(0, self.partitions, len(which))
        return [
            Message(p, t, values[i])
            for p, t, i in zip(
                partition[order].tolist(), arrival[order].tolist(), which[order].tolist()
            )
        ]

    def _values(
        self, rng: np.random.Generator, times: np.ndarray, moved: tuple[int, ...], first: int
    ) -> list[bytes]:
        n = len(times)
        numbers = rng.normal(np.arange(N_SIGNALS), 1.0, (n, N_SIGNALS))
        shifted = numbers.copy()
        shifted[:, moved] += 0.6
        scores = (1.0 / (1.0 + np.exp(-numbers[:, 0]))).round(4)
        # In a phase with changes labels are often the opposite of what scores say.
        wrong = rng.random(n) < (0.4 if moved else 0.0)
        came = ((rng.random(n) < scores) != wrong).tolist()
        texts = {
            model: [[f"{v:.4f}" for v in row] for row in table.tolist()]
            for model, table in (("fraud", shifted), ("ledger", numbers))
        }
        odd = rng.random(n)
        unseen = 0.02 if moved else 0.0
        kinds = rng.choice(len(KINDS), n, p=[0.5, 0.3, 0.2 - unseen, unseen]).tolist()
        regions = rng.integers(0, 3, n).tolist()
        versions = rng.integers(1, 3, n).tolist()
        models = rng.choice(3, n, p=[0.6, 0.25, 0.15]).tolist()
        out = []
        for i, time in enumerate(times.tolist()):
            if models[i] == 2 and self._rows is not None:
                out.append(_insect(self._rows, rng, time, (first + i) / self.n_events))
                continue
            model = "ledger" if models[i] == 1 else "fraud"
            x = texts[model][i]
            if odd[i] < 0.01:
                x[i % N_SIGNALS] = "null" if odd[i] < 0.008 else '"oops"'
            truth = b"" if odd[i] > 0.9 else b',"actual":"%s"' % (b"yes" if came[i] else b"no")
            if 0.5 < odd[i] < 0.53:  # it repeats a prediction of an hour before
                truth += b',"prediction_timestamp":%d' % (time - 3_600_000)
            out.append(
                b'{"timestamp":%d,"model":{"name":"%s","version":"%d"},"segments":{"region":"r%d"},'
                b'"features":{"f0":%s,"f1":%s,"f2":%s,"f3":%s,"kind":"%s"},'
                b'"prediction":{"score":%.4f}%s}'
                % (
                    time,
                    model.encode(),
                    versions[i],
                    regions[i],
                    *(v.encode() for v in x),
                    KINDS[kinds[i]].encode(),
                    scores[i],
                    truth,
                )
            )
        return out

    def closing(self) -> list[Message]:
        """One event in each partition that seals what was before, as the last one.

        The records' times are their producers', so one alone moves no watermark: those before it,
        which are no events, agree on the time.
        """
        value = b'{"timestamp":%d,"model":{"name":"ledger","version":"1"},"features":{"f0":0.0}}'
        times = [CLOSING_MS + i * 1_000 for i in range(_AGREEING + 1)]
        values = [b"closing"] * _AGREEING + [value % CLOSING_MS]
        return [Message(p, *last) for p in range(self.partitions) for last in zip(times, values)]


def _insect(rows: np.ndarray, rng: np.random.Generator, time: int, share: float) -> bytes:
    """Rows like the reference's in the first half of the run, then rows of another time."""
    row = rows[19_000 + rng.integers(4_000)] if share < 0.5 else rows[rng.integers(8_000)]
    values = ",".join(f'"{k}":{v!r}' for k, v in zip(insects.names(), row.tolist()))
    text = '{"timestamp":%d,"model":{"name":"%s","version":"1"},"features":{%s}}'
    return (text % (time, insects.MODEL, values)).encode()


def _plan(model: str, topic: str, segments: tuple[str, ...], **settings: int) -> Plan:
    rng = np.random.default_rng(7)
    n = 8_000
    columns: dict[str, object] = {f"f{i}": rng.normal(i, 1.0, n) for i in range(N_SIGNALS)}
    columns["kind"] = rng.choice(KINDS[:3], n, p=[0.5, 0.3, 0.2]).tolist()
    score = 1.0 / (1.0 + np.exp(-rng.normal(size=n)))
    columns["score"] = score
    columns["actual"] = np.where(rng.random(n) < score, "yes", "no").tolist()
    reference = fit_reference(
        columns,
        model=model,
        roles={name: name if name in ("score", "actual") else "feature" for name in columns},
        times_ms=BASE_MS - 86_400_000 + np.arange(n, dtype=np.int64) * 10,
    )
    chosen = {"pane_ms": PANE_MS, "lateness_ms": LATENESS_MS, **_NEVER, **settings}
    return Plan(
        model=model,
        reference=reference,
        topic=topic,
        segments=segments,
        false_alarms_per_week=20.0,
        **chosen,
    )
