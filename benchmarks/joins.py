"""`python -m benchmarks.joins`: labels joined by id, beside a dict and RocksDB as stores of ids.

Each holds so many predictions that wait, then takes in as many new ones as labels of random old
ones. All are given ids of 32 characters, in steps of some thousand rows, as one flush brings them.
The peers do the least that a join by hand does: they keep score and class by id, look a label up,
count it by its class, and forget an id when its wait is over; they have no time of settling, no
copies, no corrections, no state to go on from. RocksDB needs `pip install rocksdict`.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from detectors.counting.ids import hash_texts
from stream.join.joiner import Joiner
from stream.join.rows import LABEL, PREDICTION, RowBatch, row_dtype

WAIT_MS: Final = 14 * 86_400_000
START_MS: Final = 1_700_000_000_000
ROUNDS: Final = 40
_VALUE: Final = struct.Struct("<qdi")


class Store(Protocol):
    """What holds predictions until their labels come."""

    def step(self, now_ms: int, made: list[str], labels: list[str]) -> None:
        """Take in predictions and labels of a time."""

    def nbytes(self) -> float:
        """Memory of what is held; NaN where it is not in memory."""


class Ours:
    """`stream.join`, with what stage 1 does for it: hashes of ids, and rows."""

    def __init__(self) -> None:
        self.joiner = Joiner(("predictions", "labels"), 1, WAIT_MS)
        self._steps = 0

    def step(self, now_ms: int, made: list[str], labels: list[str]) -> None:
        """Take in predictions and labels of a time."""
        for name, kind, ids in (("predictions", PREDICTION, made), ("labels", LABEL, labels)):
            rows = np.zeros(len(ids), row_dtype(1))
            rows["offset"], rows["time_ms"], rows["kind"] = self._steps, now_ms, kind
            rows["id"] = hash_texts(ids).view(np.uint64)
            rows["value"], rows["code"], rows["scopes"] = 0.5, 1, kind == PREDICTION
            self.joiner.add(name, RowBatch(rows, [["v1"]]))
            self.joiner.complete(name, now_ms + 1)
        self.joiner.settle()
        self._steps += 1

    def nbytes(self) -> float:
        """Memory of what is held; NaN where it is not in memory."""
        return self.joiner.nbytes


class ByHand:
    """A mapping of id to prediction, and the ids in order of their deadlines."""

    def __init__(self, held: Any, *, packs: bool) -> None:
        self._held, self._packs = held, packs
        self._deadlines: deque[tuple[int, str]] = deque()
        self.counts: Counter[tuple[int, int]] = Counter()

    def step(self, now_ms: int, made: list[str], labels: list[str]) -> None:
        """Take in predictions and labels of a time."""
        for identity in made:
            value = (now_ms, 0.5, 1)
            self._held[identity] = _VALUE.pack(*value) if self._packs else value
            self._deadlines.append((now_ms + WAIT_MS, identity))
        for identity in labels:
            found = self._held.get(identity)
            if found is not None:
                said = _VALUE.unpack(found) if self._packs else found
                self.counts[said[2], 1] += 1
        while self._deadlines and self._deadlines[0][0] < now_ms:
            del self._held[self._deadlines.popleft()[1]]

    def nbytes(self) -> float:
        """Memory of what is held; NaN where it is not in memory."""
        if self._packs:
            return math.nan
        identity, value = sys.getsizeof("0" * 32), sys.getsizeof((0, 0.5, 1)) + 32 + 24
        deadline = sys.getsizeof((0, "")) + 32
        each = identity + value + deadline
        return sys.getsizeof(self._held) + len(self._held) * each


class Measured(NamedTuple):
    """CPU microseconds a prediction held, and a prediction and a joined label; bytes an id."""

    hold_us: float
    join_us: float
    bytes_an_id: float


def measure(store: Store, pending: int, step: int) -> Measured:
    """Fill a store, then join."""
    rng = np.random.default_rng(0)
    step_ms = WAIT_MS // (pending // step)
    ids = [f"{i:032x}" for i in rng.permutation(pending + step * ROUNDS).tolist()]
    at, now_ms = 0, START_MS
    began = time.process_time()
    while at < pending:
        store.step(now_ms, ids[at : at + step], [])
        at, now_ms = at + step, now_ms + step_ms
    filled = time.process_time()
    size = store.nbytes() / pending
    for _ in range(ROUNDS):
        old = rng.integers(at - pending * 9 // 10, at, step).tolist()
        store.step(now_ms, ids[at : at + step], [ids[i] for i in old])
        at, now_ms = at + step, now_ms + step_ms
    joined = time.process_time()
    return Measured(
        1e6 * (filled - began) / pending, 1e6 * (joined - filled) / (ROUNDS * step), size
    )


def stores(folder: Path) -> Iterator[tuple[str, Store]]:
    """All that can be measured here."""
    yield "driftstream", Ours()
    yield "dict", ByHand({}, packs=False)
    try:
        from rocksdict import Rdict
    except ImportError:
        return
    yield "RocksDB (rocksdict)", ByHand(Rdict(str(folder)), packs=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.joins", description=__doc__)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--step", type=int, default=4_000)
    options = parser.parse_args()
    print(f"{options.pending:,} predictions wait, {options.step:,} rows a step")
    print("| store | us to hold one | us to hold one and join a label | joins/s | bytes an id |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, store in stores(Path(folder) / "rocks"):
            found = measure(store, options.pending, options.step)
            size = "on disk" if math.isnan(found.bytes_an_id) else f"{found.bytes_an_id:.0f}"
            print(
                f"| {name} | {found.hold_us:.2f} | {found.join_us:.2f} | "
                f"{1e6 / found.join_us:,.0f} | {size} |"
            )


if __name__ == "__main__":
    main()
