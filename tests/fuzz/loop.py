"""The loop: mutated inputs to every reader, counted; a crash or a hang ends it with the input."""

from __future__ import annotations

import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.mutate import mutate, reshape
from tests.fuzz.readers import Reader, make_readers

__all__ = ["Crash", "Tally", "fuzz", "give", "table"]

#: An input that takes longer is a hang. Real work on 60 kB takes some milliseconds.
HANG_S = 10
_WARM_UP = 200


class Crash(AssertionError):
    """A reader that did not answer as it may; the input is in the message."""


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    name: str
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    kinds: set[str] = field(default_factory=set)

    @property
    def inputs(self) -> int:
        return self.taken + self.refused


def fuzz(
    inputs: int, seed: int, folder: Path, on_reader: Callable[[Tally], None] = lambda _: None
) -> list[Tally]:
    """Give every reader its share of the inputs; `on_reader` is told when one is done.

    Raises
    ------
    Crash
        At the first input that raises something else than a refusal, or takes too long.
    """
    tallies: list[Tally] = []
    shares = 0.0
    for reader in make_readers(folder):
        shares += reader.share
        rng = random.Random(f"{seed}/{reader.name}")
        for data in reader.seeds:
            give(reader, data, Tally(reader.name))
        warm = Tally(reader.name)
        for _ in range(_WARM_UP):
            give(reader, _input(reader, rng), warm)
        before = _peak_mb()
        tally = Tally(reader.name)
        given = sum(tally.inputs for tally in tallies)
        for _ in range(round(inputs * shares) - given):  # rounded so that all of them are given
            give(reader, _input(reader, rng), tally)
        tally.peak_mb = _peak_mb() - before
        tallies.append(tally)
        on_reader(tally)
    return tallies


def _input(reader: Reader, rng: random.Random) -> bytes:
    if reader.form and rng.random() < 0.5:
        return reshape(reader.seeds, reader.form, rng)
    return mutate(reader.seeds, rng)


def give(reader: Reader, data: bytes, tally: Tally) -> None:
    """Give one input to a reader, and count what it answers."""
    began = time.perf_counter()
    try:
        with _deadline():
            taken = reader.read(data)
    except reader.refusals as refusal:
        taken = False
        tally.kinds.add(type(refusal).__name__)
        if not 0 < len(str(refusal)) < 20_000:
            raise Crash(
                f"{reader.name}: refused without words, or with too many: {_shown(data)}"
            ) from None
    except BaseException as error:
        raise Crash(
            f"{reader.name}: {type(error).__name__}: {error}\ninput: {_shown(data)}"
        ) from error
    spent = time.perf_counter() - began
    tally.seconds += spent
    tally.slowest_ms = max(tally.slowest_ms, spent * 1000)
    if taken:
        tally.taken += 1
    else:
        tally.refused += 1


def _shown(data: bytes) -> str:
    """An input as it can be pasted into a test; of a long one what tells it apart."""
    return repr(data) if len(data) < 4_000 else f"{data[:2_000]!r} ... {data[-500:]!r}"


@contextmanager
def _deadline() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {HANG_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(tallies: list[Tally]) -> str:
    """The counts, a line a reader."""
    heads = ("reader", "inputs", "taken", "refused", "seconds", "slowest ms", "peak growth MB")
    rows = [
        (
            t.name,
            f"{t.inputs:,}",
            f"{t.taken:,}",
            f"{t.refused:,}",
            f"{t.seconds:.1f}",
            f"{t.slowest_ms:.1f}",
            f"{t.peak_mb:.1f}",
        )
        for t in tallies
    ]
    whole = Tally("all", sum(t.taken for t in tallies), sum(t.refused for t in tallies))
    rows.append(
        (
            whole.name,
            f"{whole.inputs:,}",
            f"{whole.taken:,}",
            f"{whole.refused:,}",
            f"{sum(t.seconds for t in tallies):.1f}",
            f"{max(t.slowest_ms for t in tallies):.1f}",
            f"{sum(t.peak_mb for t in tallies):.1f}",
        )
    )
    widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
    return "\n".join(
        "  ".join(c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths)))
        for row in (heads, *rows)
    )
