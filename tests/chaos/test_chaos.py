"""The short forms of `make chaos`, on one broker and on three."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from stream.devbroker.runtime import BrokerUnavailableError, find_runtime
from tests.chaos.faults import SHORT, TRIO_SHORT, Torment
from tests.chaos.run import run, table

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("brokers", "counts"), [(1, SHORT), (3, TRIO_SHORT)])
def test_nothing_is_lost_and_nothing_invented(
    brokers: int, counts: dict[str, int], tell: Callable[[str], None]
) -> None:
    try:
        find_runtime()
    except BrokerUnavailableError as why:
        pytest.skip(f"no Kafka broker of one's own: {why}")
    n, seed = 40_000, 11
    faults = partial(Torment, n_events=n, seed=seed, counts=counts, away_s=0.0, say=print)
    outcome = run(seed, n, faults, real=False, brokers=brokers, calm=False, say=print)
    tell(table([outcome]))
    assert outcome.complaints == []
