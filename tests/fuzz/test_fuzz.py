"""Input from hell: no bytes crash a reader, hang it, or make it grow without end."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.loop import Crash, Tally, fuzz, give, table
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import Reader, make_readers

INPUTS = 20_000
#: Caches fill, interned names stay; a leak of an input each would be several times that.
GROWTH_MB = 150
many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The plans topic's reader logs every bad part."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return {r.name: r for r in make_readers(tmp_path_factory.mktemp("fuzz"))}


def test_mutated_inputs_are_taken_or_refused(tmp_path: Path, tell: Callable[[str], None]) -> None:
    tallies = fuzz(INPUTS, 1, tmp_path)
    tell(table(tallies))
    assert sum(tally.inputs for tally in tallies) == INPUTS
    assert all(tally.refused for tally in tallies)
    assert sum(tally.peak_mb for tally in tallies) < GROWTH_MB


def test_what_the_loop_would_notice() -> None:
    def breaks(data: bytes) -> bool:
        return bool({"a": 1}[data.decode()])

    with pytest.raises(Crash, match=r"toy: KeyError: 'b'\ninput: b'b'"):
        give(Reader("toy", 1.0, [], breaks), b"b", Tally("toy"))
    tally = Tally("toy")
    give(Reader("toy", 1.0, [], breaks, (KeyError,)), b"b", tally)
    give(Reader("toy", 1.0, [], breaks), b"a", tally)
    assert (tally.taken, tally.refused) == (1, 1)


def test_mutations_are_those_of_their_seed() -> None:
    first, second = (
        [mutate([b"abc", b'{"n":12}'], rng) for _ in range(200)]
        for rng in (random.Random(5), random.Random(5))
    )
    assert first == second
    assert len(set(first)) > 150


def test_every_seed_is_taken(readers: dict[str, Reader]) -> None:
    for reader in readers.values():
        tally = Tally(reader.name)
        for seed in reader.seeds:
            if not reader.name.endswith(("snapshot", "state")):  # parts of a whole, in turn
                give(reader, seed, tally)
        assert not tally.refused, reader.name


@given(data=st.binary(max_size=400))
@many
def test_any_bytes(readers: dict[str, Reader], data: bytes) -> None:
    for reader in readers.values():
        give(reader, data, Tally(reader.name))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["fraud", "3", "x", "c", "2026-01-01T00:00:00Z", "driftstream.plan.v1"])
)
KEYS = st.text(max_size=4) | st.sampled_from(
    [
        "model",
        "name",
        "version",
        "timestamp",
        "features",
        "prediction",
        "actual",
        "prediction_timestamp",
        "columns",
        "segments",
        "x",
        "c",
        "format",
        "signals",
        "counts",
        "settings",
        "reference",
        "data",
        "type",
    ]
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@given(document=DOCUMENTS, put=st.sampled_from(["", "event", "batch", "reference", "plan"]))
@many
def test_any_document(readers: dict[str, Reader], document: object, put: str) -> None:
    """JSON of any shape, alone or in the place of one member of a good document."""
    if put:
        whole = json.loads(readers[put].seeds[0])
        name = sorted(whole)[len(str(document)) % len(whole)]
        document = {**whole, name: document}
    data = json.dumps(document).encode("utf-8", "surrogatepass")
    for name in ("event", "batch", "reference", "plan", "alert", "config"):
        give(readers[name], data, Tally(name))
