"""Topics of several models: the right decoder is tried first, and a wrong guess costs nothing."""

from __future__ import annotations

import pytest

from stream.decode import NativeDecoder
from stream.decode.model_cache import ModelCache
from stream.plans.plan import Subject
from tests.stream.decode_tools import Rec, book, event, plan, record

MODELS = ("fraud", "churn", "risk")


class Counting(NativeDecoder):
    """Counts the records that went the slow way."""

    slow = 0

    def _read_slowly(self, *args, **more):
        self.slow += 1
        return super()._read_slowly(*args, **more)


def test_alternating_models_take_the_fast_way():
    decoder = Counting(book(*map(plan, MODELS)))
    records = [record(event(model={"name": MODELS[i % 3]}), offset=i) for i in range(300)]
    for at in range(0, 300, 50):
        decoded = decoder.decode(records[at : at + 50])
        assert decoded.rejects == []
        rows = {g.model: len(g.rows) for g in decoded.groups}
        assert sum(rows.values()) == 50
    assert decoder.slow <= 2 * len(MODELS)


def test_one_model_needs_no_cache():
    decoder = Counting(book())
    decoder.decode([record(event()) for _ in range(50)])
    assert decoder.slow == 1
    assert not decoder._models


def test_a_wrong_guess_is_found_out():
    """The same bytes up to the first brace, of two models."""
    decoder = NativeDecoder(book(*map(plan, MODELS)))
    documents = [
        record(event(model={"tags": {}, "name": MODELS[i % 3]}), offset=i) for i in range(30)
    ]
    decoded = decoder.decode([*documents, Rec(b""), Rec(None), Rec(b'{"model"')])
    assert len(decoded.rejects) == 3
    assert {g.model: g.rows.tolist() for g in decoded.groups} == {
        name: list(range(i, 30, 3)) for i, name in enumerate(MODELS)
    }


@pytest.mark.parametrize("version", ["*", "3"])
def test_the_cache_is_bounded(version):
    cache = ModelCache()
    for i in range(10_000):
        cache.remember(b'{"model":{"name":"%d"}}' % i, Subject(str(i), version))
    assert len(cache) <= 4096
    assert cache.guess(b'{"a":1,"model":{"name":"9999"}}') == ("9999", version)
    cache.remember(b'{"model":{"name":"' + b"x" * 400 + b'"}}', Subject("x", version))
    cache.remember(b'{"a":1}', Subject("y", version))
    assert cache.guess(b"{}") is None
