"""What the benchmark makes of its figures: unit costs, growth of memory, scale."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import scale
from benchmarks.capacity_table import fit, table
from benchmarks.soak import Sample, growth


def result() -> dict[str, Any]:
    values = {
        "W1.cpu_s_per_million": 4.0, "W2.cpu_s_per_million": 12.0, "W6.cpu_s_per_million": 2.0,
        "W7.cpu_s_per_million": 0.8, "memory_models_each": 300.0, "memory_wide_each": 660.0,
        "memory_versions_each": 88.0, "memory_segments_each": 66.0, "summary_bytes": 2_073.0,
        "W1.peak_mb": 300.0,
    }  # fmt: skip
    cases = {"s10": {"cpu_s_per_million": 5.0}, "s2000": {"cpu_s_per_million": 8.0}}
    return {
        "figures": [{"id": name, "value": value} for name, value in values.items()],
        "sections": {"scale": {"cases": cases}},
        "about": {"commit": "abc", "cores": 2, "versions": {"python": "3.11.7"}},
    }


def test_unit_costs_give_back_what_they_are_fitted_to() -> None:
    units = fit(result())
    for form, n, cpu in (
        ("json", 20, 4.0),
        ("json", 100, 12.0),
        ("batch", 20, 2.0),
        ("arrow", 20, 0.8),
    ):
        assert units.event_us[form] + n * units.value_us[form] == pytest.approx(cpu, abs=0.02)
    entry = units.entry_us + 20 * units.entry_signal_us
    assert entry * 2_001 * 4 / 200_000 == pytest.approx(3.0, rel=0.01)
    for signals, kilobytes in ((20, 300.0), (50, 660.0)):
        scope = units.scope_bytes + signals * units.scope_signal_bytes
        model = units.model_bytes + signals * units.model_signal_bytes
        assert (scope + model) / 1_000 == pytest.approx(kilobytes, rel=0.05)
    assert "commit abc" in table(units)


def test_growth_compares_the_last_sixth_with_the_second() -> None:
    def samples(*levels: float) -> list[Sample]:
        return [Sample(i * 10.0 + 5, mb, 0.0, 0, 0) for i, mb in enumerate(levels)]

    assert growth(samples(50, 100, 100, 100, 100, 110), 60.0) == pytest.approx(1.1)
    assert growth(samples(50, 100, 150, 150, 150, 100), 60.0) == pytest.approx(1.0)


def test_every_case_of_scale_is_a_load_of_its_own_name() -> None:
    ids = [case.id for case in scale.CASES]
    assert len(ids) == len(set(ids))
    for case in scale.CASES:
        assert case.workload(1.0).events % (case.partitions * 16_384) == 0
