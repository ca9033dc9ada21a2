"""Where the census rows are, or a skip that says what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import census


def census_or_skip() -> census.Census:
    folder = os.environ.get("DRIFTSTREAM_DATA")
    if not folder:
        pytest.skip("DRIFTSTREAM_DATA is not set: no census rows")
    data = census.load(Path(folder))
    if data is None:
        pytest.skip(f"{Path(folder) / census.WHEEL} is not there")
    return data
