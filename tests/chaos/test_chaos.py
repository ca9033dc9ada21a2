"""The short form of `make chaos`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from stream.kafka.runtime import BrokerUnavailableError, find_runtime
from tests.chaos.faults import SHORT, Torment
from tests.chaos.run import run, table

pytestmark = pytest.mark.broker


def test_nothing_is_lost_and_nothing_invented(tell: Callable[[str], None]) -> None:
    try:
        find_runtime()
    except BrokerUnavailableError as why:
        pytest.skip(f"no Kafka broker of one's own: {why}")
    n, seed = 40_000, 11
    faults = partial(Torment, n_events=n, seed=seed, counts=SHORT, away_s=0.0, say=print)
    outcome = run(seed, n, faults, real=False, calm=False, say=print)
    tell(table([outcome]))
    assert outcome.complaints == []
