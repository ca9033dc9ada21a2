"""Sketches of panes: their laws against a naive twin, their bounds and their wire form."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting import category_sketch as names_module
from stream.contracts.summary_message import MAX_BATCH_BYTES
from stream.decode.schemaless_values import NOT_SENT, SchemalessValues, sort_by_signal
from stream.plans.plan import DeclaredSignal, Learn
from stream.sketches import sketch as module
from stream.sketches.merge import SketchMerge
from stream.sketches.sketch import MAX_SIGNALS, Sketch

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([10**400, -(10**20)]),
    st.floats(),
    st.text("ab", max_size=3),
    st.just([1]),
)
features = st.dictionaries(st.sampled_from("abcdef"), scalars, max_size=4)
events = st.builds(
    SchemalessValues,
    st.one_of(st.none(), features),
    st.one_of(scalars, st.dictionaries(st.sampled_from(["score", "label", "x"]), scalars)),
    st.one_of(scalars, st.dictionaries(st.just("label"), scalars)),
    st.one_of(st.just(NOT_SENT), scalars),
)
few = settings(deadline=None, max_examples=60)


def sketch_of(rows, learn=Learn(), rng=None) -> Sketch:  # noqa: B008 - a constant
    """Counted in one go, or grown by random steps."""
    sketch = Sketch()
    at = 0
    while at < len(rows):
        step = len(rows) if rng is None else rng.randint(1, 5)
        part = rows[at : at + step]
        sort_by_signal(part, learn).count(np.zeros(len(part), np.int32), [sketch])
        at += step
    return sketch


def naive_values(event: SchemalessValues) -> list[tuple[str, object]]:
    """(place, value) of everything an event says, null included."""
    found = [(f"features.{k}", v) for k, v in (event.features or {}).items()]
    if isinstance(event.prediction, dict):
        found += [(f"prediction.{k}", event.prediction.get(k)) for k in ("score", "label")]
    elif isinstance(event.prediction, str | bool):
        found.append(("prediction.label", event.prediction))
    elif event.prediction is not None:
        found.append(("prediction.score", event.prediction))
    if isinstance(event.actual, dict):
        found.append(("actual.label", event.actual.get("label")))
    elif event.actual is not None:
        found.append(("actual.label", event.actual))
    if event.latency is not NOT_SENT:
        found.append(("latency_seconds", event.latency))
    return found


def naive(rows: list[SchemalessValues]) -> dict[str, tuple[Counter, Counter, int]]:
    """Numbers, names and other values by place, as dicts."""
    result: dict[str, tuple[Counter, Counter, int]] = {}
    for event in rows:
        for place, value in naive_values(event):
            numbers, texts, wrong = result.get(place, (Counter(), Counter(), 0))
            if isinstance(value, str):
                texts[value] += 1
            elif isinstance(value, bool):
                texts[str(value).lower()] += 1
            elif isinstance(value, int | float):
                if abs(value) <= sys.float_info.max:
                    numbers[float(value)] += 1
            elif value is not None:
                wrong += 1
            if numbers or texts or wrong:
                result[place] = numbers, texts, wrong
    return result


def is_known(actual: object) -> bool:
    """Whether there is one yet: null, NaN and what is beyond every float are none."""
    value = actual.get("label") if isinstance(actual, dict) else actual
    if isinstance(value, int | float):
        return abs(value) <= sys.float_info.max
    return value is not None


@few
@given(st.lists(events, max_size=30))
def test_a_sketch_counts_what_its_naive_twin_counts(rows):
    sketch = sketch_of(rows)
    twin = naive(rows)
    assert set(sketch.signals) == set(twin)
    for place, (numbers, texts, wrong) in twin.items():
        held = sketch.signals[place]
        assert held.numbers.numbers == sum(numbers.values())
        bins = held.numbers.bins()
        for low, high, n in zip(bins.lower, bins.upper, bins.counts, strict=True):
            last = high == sys.float_info.max  # no number is beyond it
            assert (
                sum(k for v, k in numbers.items() if low <= v < high or (last and v == high)) == n
            )
        assert held.names.counts == texts
        assert held.invalid == wrong
    assert sketch.events == len(rows)
    assert sketch.groups == [
        sum(e.features is not None for e in rows),
        sum(e.prediction is not None for e in rows),
        sum(is_known(e.actual) for e in rows),
        sum(e.latency is not NOT_SENT for e in rows),
    ]


@few
@given(st.lists(events, max_size=40), st.integers(0, 2**32))
def test_any_partition_order_and_growth_give_the_same_bytes_over_the_caps_too(rows, seed):
    rng = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_SIGNALS", 5)
        patch.setattr(names_module, "MOST_NAMES", 3)
        patch.setattr("detectors.counting.log_histogram.MOST_BINS", 4)
        truth = sketch_of(rows).encode()
        assert sketch_of(rows, rng=rng).encode() == truth
        owner = [rng.randrange(4) for _ in rows]
        parts = [
            sketch_of([e for e, o in zip(rows, owner, strict=True) if o == p]).encode()
            for p in range(4)
        ]
        rng.shuffle(parts)
        assert Sketch.total(parts).encode() == truth
        pairs = [Sketch.total(parts[:2]).encode(), Sketch.total(parts[2:]).encode()]
        assert Sketch.total(pairs).encode() == truth


@few
@given(st.lists(events, min_size=1, max_size=40), st.integers(0, 40))
def test_a_later_state_covers_an_earlier_one_and_not_the_other_way(rows, cut):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_SIGNALS", 4)
        patch.setattr(names_module, "MOST_NAMES", 2)
        patch.setattr("detectors.counting.log_histogram.MOST_BINS", 4)
        early, late = sketch_of(rows[:cut]), sketch_of(rows)
        merge_rule = SketchMerge()
        assert not merge_rule.is_less(late, early.encode())
        assert merge_rule.is_less(early, late.encode()) == (cut < len(rows))


@few
@given(st.lists(events, max_size=30))
def test_what_is_encoded_decodes_to_the_same(rows):
    sketch = sketch_of(rows)
    again = Sketch.decode(sketch.encode())
    assert again.encode() == sketch.encode()
    assert again.covers(sketch)
    assert sketch.covers(again)


@few
@given(st.lists(events, min_size=1, max_size=10), st.integers(0, 2**32), st.binary(max_size=40))
def test_damaged_bytes_are_a_value_error_or_a_sketch_within_bounds(rows, seed, noise):
    rng = random.Random(seed)
    data = bytearray(sketch_of(rows).encode())
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    for hostile in (bytes(data), bytes(data[: rng.randrange(len(data))]), noise):
        try:
            sketch = Sketch.decode(hostile)
        except ValueError:
            continue
        assert len(sketch.signals) <= MAX_SIGNALS
        Sketch.total([hostile, hostile]).encode()


def signal(place="features.x", level=0, zero=0, bins=b"", halvings=0, rests=b"", names=None, bad=0):
    return [place, level, zero, bins, halvings, rests, names or {}, bad]


@pytest.mark.parametrize(
    ("events", "groups", "signals"),
    [
        (-1, [0] * 4, []),
        (2**60, [0] * 4, []),
        (1, [2, 0, 0, 0], []),
        (1, [1, 0, 0, 0], [signal(zero=2)]),
        (1, [0] * 4, [signal(zero=1)]),
        (1, [1, 0, 0, 0], [signal("other.x", zero=1)]),
        (2, [2, 0, 0, 0], [signal(zero=1), signal(zero=1)]),
        (1, [1, 0, 0, 0], [signal(level=21)]),
        (1, [1, 0, 0, 0], [signal(halvings=65)]),
        (9, [9, 0, 0, 0], [signal(bins=b"\x80")]),
        (9, [9, 0, 0, 0], [signal(bins=b"\xff" * 30)]),
        (9, [9, 0, 0, 0], [signal(bins=b"\x01\x00")]),
        (9, [9, 0, 0, 0], [signal(level=20, bins=b"\x01\x01")]),
        (9, [9, 0, 0, 0], [signal(rests=b"\x40\x01")]),
        (2**48, [2**48, 0, 0, 0], [signal(rests=b"\x01" + b"\xff" * 7 + b"\x01")]),
        (9, [9, 0, 0, 0], [signal(names={"x" * 65: 1})]),
        (9**5, [9**5, 0, 0, 0], [signal(names={str(i): 1 for i in range(1_001)})]),
        (500, [500, 0, 0, 0], [signal(f"features.{i}") for i in range(129)]),
        (1, [1, 0, 0, 0], [signal("features." + "x" * 300)]),
    ],
)
def test_a_sketch_out_of_bounds_is_refused(events, groups, signals):
    data = msgspec.msgpack.encode(["k2", events, groups, False, signals])
    with pytest.raises(ValueError, match=r"not a sketch|encoded counts"):
        Sketch.decode(data)


def test_of_too_many_signals_those_of_least_hash_are_kept():
    rows = [SchemalessValues({f"f{i}": float(i)}, None, None, NOT_SENT) for i in range(500)]
    sketch = sketch_of(rows)
    places = [f"features.f{i}" for i in range(500)]
    least = sorted(places, key=lambda p: hashlib.blake2b(p.encode(), digest_size=8).digest())
    assert set(sketch.signals) == set(least[:MAX_SIGNALS])
    assert sketch.more
    assert sketch.missing(least[0]) == 499


def test_an_event_with_a_hundred_thousand_features_is_cut_as_the_sketch_is():
    crowd = {f"f{i}": (None, float(i), "x")[i % 3] for i in range(2_000)}
    rows = [SchemalessValues(crowd, 0.5, None, NOT_SENT)] + [
        SchemalessValues({name: value}, None, None, NOT_SENT) for name, value in crowd.items()
    ]
    one, apart = sketch_of(rows[:1]), sketch_of(rows[1:])
    assert one.more
    assert apart.more
    assert one.signals.keys() - {"prediction.score"} <= apart.signals.keys()
    by_signal = sort_by_signal(rows[:1], Learn())
    assert len(by_signal.columns) == MAX_SIGNALS + 1


def test_the_largest_sketch_fits_a_message():
    """Signals of the longest names, with every bin filled, all names they may have, huge counts."""
    huge = 16_384 * 100_000  # a chunk of the longest batches
    keys = np.linspace(-(2**19) + 1_000, 2**19 - 1_000, 512).astype(np.int64)
    sizes = []
    for length in (1, 2, 8, 60):
        names = {f"{i:x}".rjust(length, "é")[:length]: huge for i in range(3_000)}
        sketch = Sketch()
        for i in range(MAX_SIGNALS):
            held = sketch.at(f"features.{i:é>95}")
            held.numbers.keys, held.numbers.counts = keys, np.full(512, huge)
            held.names.add(names)
        sketch.groups[0] = sketch.events = held.present
        sizes.append(len(sketch.encode()))
        Sketch.decode(sketch.encode())
    assert MAX_BATCH_BYTES < max(sizes) < 1_000_000


@pytest.mark.parametrize("bare", [True, False])
def test_declared_kinds_and_roles_say_what_values_are(bare):
    learn = Learn(
        signals={
            "amount": DeclaredSignal("numeric"),
            "shop": DeclaredSignal("categorical"),
            "risk": DeclaredSignal("numeric", "label"),
        }
    )
    amounts = [1, True, "7", None, [2]]
    rows = [
        SchemalessValues(
            {"amount": v, "shop": 3.0, "unread": 1}, 0.5 if bare else {"label": 0.5}, None, NOT_SENT
        )
        for v in amounts
    ]
    sketch = sketch_of(rows, learn)
    assert sorted(sketch.signals) == ["features.amount", "features.shop", "prediction.label"]
    amount = sketch.signals["features.amount"]
    assert (amount.numbers.numbers, amount.names.total, amount.invalid) == (2, 0, 2)
    assert sketch.missing("features.amount") == 1
    assert sketch.signals["features.shop"].names.counts == {"3": 5}
    assert sketch.signals["prediction.label"].numbers.numbers == 5


def test_a_sketch_holds_names_as_json_does():
    """Bytes that went over the wire are text again, whatever the script."""
    rows = [SchemalessValues({"c": text}, None, None, NOT_SENT) for text in ("ü", "日本", "🙂")]
    held = Sketch.decode(sketch_of(rows).encode()).signals["features.c"]
    assert json.dumps(held.names.counts, sort_keys=True) == json.dumps(
        {"ü": 1, "日本": 1, "🙂": 1}, sort_keys=True
    )
