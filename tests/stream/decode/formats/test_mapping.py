"""Any JSON by the paths of the config: the counts of the native form of the same data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import SourceOptions
from stream.decode.formats.contract import Mapped, OptionsError
from stream.decode.formats.guessing import guess_mapping
from stream.decode.formats.mapping import FORMAT
from stream.decode.formats.paths import is_readable, parse_path, path_text
from stream.decode.formats.picking import compile_picker, pick_slowly
from stream.decode.values import RefusedError
from tests.stream.decode.formats.tools import by_file, by_worker, rec
from tests.stream.decode_tools import NOW, event

NATIVE = [
    event(
        prediction_id=f"p{i}",
        timestamp=NOW + i,
        features={"amount": i / 4, "age": 20 + i, "country": ["DE", "FR", None][i % 3]},
        latency_seconds=i / 8,
        actual="ok",
    )
    for i in range(20)
]


def mapped(**paths: Any) -> Mapped:
    read: dict[str, Any] = {
        name: {key: parse_path(path) for key, path in said.items()}
        if isinstance(said, dict)
        else parse_path(said)
        if name not in ("latency_unit", "ignore") and said != ""
        else said
        for name, said in paths.items()
    }
    members: Any = {name: () if said == "" else said for name, said in read.items()}
    return Mapped(**members)


COMMON = {
    "model": "who.model",
    "version": "who.v",
    "id": "rid",
    "timestamp": "when",
    "prediction": "out.class",
    "score": "out.p[1]",
    "actual": "truth",
}
NAMED = {"amount": "in.amt", "age": "in.person.age", "country": "in.geo[0]"}
WAYS: dict[str, tuple[Mapped, Any]] = {
    "star": (
        mapped(**COMMON, star="in", ignore=("extra",), latency="took", latency_unit="ms"),
        lambda e: {"in": {**e["features"], "extra": 5}},
    ),
    "named": (
        mapped(**COMMON, features=NAMED, latency="took", latency_unit="ms"),
        lambda e: {
            "in": {
                "amt": e["features"]["amount"],
                "geo": [e["features"]["country"]],
                "person": {"age": e["features"]["age"]},
            }
        },
    ),
    "flat": (
        mapped(**COMMON, star="", latency="took", latency_unit="ms"),
        lambda e: e["features"],
    ),
}


def foreign(native: dict[str, Any], way: str) -> dict[str, Any]:
    return {
        "when": native["timestamp"],
        "rid": native["prediction_id"],
        "truth": native["actual"],
        "who": {"model": "fraud", "v": native["model"]["version"], "host": "a"},
        "out": {"class": native["prediction"]["label"], "p": [1.0, native["prediction"]["score"]]},
        "took": native["latency_seconds"] * 1000,
        **WAYS[way][1](native),
    }


@pytest.mark.parametrize("way", WAYS)
def test_counts_are_those_of_the_native_form(way: str, tmp_path: Path) -> None:
    source = SourceOptions("mapping", mapping=WAYS[way][0])
    documents = [foreign(one, way) for one in NATIVE]
    expected = by_worker([rec(one) for one in NATIVE])
    assert expected[2] == len(NATIVE)
    assert expected[1] == []
    assert by_worker([rec(one) for one in documents], source) == expected
    # What the fast way does not read the other does: the same counts.
    spoilt = [rec(json.dumps(one).encode()[:-1] + b', "x": NaN}') for one in documents]
    assert by_worker(spoilt, source) == expected
    lines = [json.dumps(one).encode() for one in documents]
    native_lines = [json.dumps(one).encode() for one in NATIVE]
    assert by_file(tmp_path / "f.jsonl", lines, source) == by_file(
        tmp_path / "n.jsonl", native_lines
    )


def test_instances_are_an_event_each_with_an_id_of_their_own() -> None:
    source = SourceOptions(
        "mapping",
        model="fraud",
        version="3",
        mapping=mapped(
            id="id",
            timestamp="t",
            features={"amount": "rows[].a", "age": "rows[].b[0]", "country": "c"},
            prediction="said[]",
        ),
    )
    document = {
        "id": "r1",
        "t": NOW,
        "c": "FR",
        "said": ["ok", "fraud"],
        "rows": [{"a": 1.5, "b": [30]}, {"a": None, "b": [31, 0]}],
    }
    native = [
        event(
            prediction_id="r1/0",
            features={"amount": 1.5, "age": 30, "country": "FR"},
            prediction="ok",
        ),
        event(
            prediction_id="r1/1",
            features={"amount": None, "age": 31, "country": "FR"},
            prediction="fraud",
        ),
    ]
    assert by_worker([rec(document)], source)[0] == _of_one_record(native)
    for said, reason, words in (
        (["ok"], "ragged_batch", "Expected 2 rows, got 1 - at $.said[]"),
        (["ok", {"a": 1}], "", ""),
    ):
        _, rejects, events = by_worker([rec({**document, "said": said})], source)
        assert [(r, w) for _, r, w in rejects] == ([(reason, words)] if reason else [])
        assert events == (0 if reason else 2)


def _of_one_record(native: list[dict[str, Any]]) -> list[tuple[bytes, bytes]]:
    """The counts of native events that came in one record: as a batch of the mapping does."""
    source = SourceOptions(
        "mapping",
        mapping=mapped(
            model="e[].model.name",
            version="e[].model.version",
            timestamp="e[].timestamp",
            id="e[].prediction_id",
            prediction="e[].prediction",
            star="e[].features",
        ),
    )
    return by_worker([rec({"e": native})], source)[0]


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"when": ...}, "missing_field", "Found no timestamp - at $.when"),
        ({"who": {"v": 3}}, "missing_field", "Found no model - at $.who.model"),
        ({"who": 5}, "missing_field", "Found no model - at $.who.model"),
        ({"who": {"model": "other"}}, "unknown_model", "No plan is for this model - at $.model"),
        ({"in": 7}, "wrong_type", "Expected object - at $.in.*"),
        ({"when": "soon"}, "bad_timestamp", "got other text - at $.timestamp"),
    ],
)
def test_what_cannot_be_counted_says_where(change: dict[str, Any], reason: str, words: str) -> None:
    source = SourceOptions("mapping", mapping=WAYS["star"][0])
    document = {**foreign(NATIVE[0], "star"), **change}
    document = {name: value for name, value in document.items() if value is not ...}
    good = rec(foreign(NATIVE[1], "star"))
    _, rejects, events = by_worker([good, rec(document), good], source)
    ((offset, why, error),) = rejects
    assert (offset, why, events) == (1, reason, 2)
    assert words in error


@pytest.mark.parametrize("change", ['"in": null', '"took": "x"', '"took": true', '"took": 1e400'])
def test_what_holds_no_value_is_left_to_the_native_decoder(change: str) -> None:
    """An event whose features are null, or whose latency is no number that there is, counts."""
    source = SourceOptions("mapping", mapping=WAYS["star"][0])
    document = foreign(NATIVE[1], "star")
    del document[change[1:].partition('"')[0]]
    text = json.dumps(document)[:-1] + f", {change}}}"
    assert by_worker([rec(text.encode())], source)[1:] == ([], 1)


def test_a_record_that_would_grow_beyond_bounds_is_refused() -> None:
    source = SourceOptions(
        "mapping",
        model="fraud",
        mapping=mapped(timestamp="t", features={"amount": "rows[]", "country": "c"}),
    )
    document = {"t": NOW, "c": "x" * 300_000, "rows": [0] * 200_000}
    _, rejects, events = by_worker([rec(document)], source)
    assert events == 0
    assert rejects[0][1] == "too_large"


def test_settings_that_cannot_work() -> None:
    for options, key in (
        (SourceOptions("mapping"), "mapping"),
        (SourceOptions("mapping", mapping=mapped(star="in")), "mapping.model"),
        (SourceOptions("mapping", model="m", mapping=mapped(timestamp="t")), "mapping"),
        (
            SourceOptions("mapping", model="m", mapping=mapped(model="m", star="in")),
            "mapping.model",
        ),
    ):
        with pytest.raises(OptionsError) as error:
            FORMAT.make(options)
        assert error.value.key == key


NAMES = st.sampled_from(["a", "b", "c.d", "e"])
PATHS = st.lists(NAMES | st.integers(0, 2) | st.just(-1), min_size=1, max_size=4).filter(
    lambda steps: steps.count(-1) <= 1
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(paths=st.lists(PATHS.map(tuple), min_size=1, max_size=5), document=VALUES)
@settings(max_examples=400, deadline=None)
def test_the_compiled_way_picks_what_walking_does(paths: list[Any], document: Any) -> None:
    value = json.dumps(document).encode()
    try:
        fast = compile_picker(paths)(value)
    except (ValueError, TypeError):
        return  # such documents are walked
    assert list(map(_plain, fast)) == list(map(_plain, pick_slowly(value, paths)))


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, list):
        return list(map(_plain, leaf))
    return None if leaf is None else json.loads(bytes(leaf))


@given(path=PATHS.map(tuple))
def test_paths_are_read_as_they_are_written(path: Any) -> None:
    assert parse_path(path_text(path)) == path


@pytest.mark.parametrize(
    "text", ["", "a..b", "a.", "[x]", "a[1", "a[]b", "a[].b[]", ".a", "a\tb", 'a"b', "a.b\\\\"]
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"where|character|twice"):
        parse_path(text)


def test_what_no_reader_can_name_is_not_guessed() -> None:
    guess = guess_mapping({"ts": 1.8e9, 'features"': {"x": 1}, "a": {"mo\tdel": "m"}})
    assert all(is_readable(path) for path in guess.paths.values())
    assert guess.star is None or is_readable(guess.star)


def test_no_json_is_refused() -> None:
    for value in (b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(RefusedError):
            pick_slowly(value, [("a",)])
