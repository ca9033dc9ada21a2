"""Which tests concern which module, and which changes change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["EQUIVALENT", "TESTS"]

_TESTS: Final = Path(__file__).resolve().parents[1]


def _in(folder: str, tests: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Modules of a folder with the test files of these names, wherever they are."""
    return {
        f"{folder}/{module}.py": tuple(
            str(path.relative_to(_TESTS.parent))
            for name in names.split()
            for path in sorted(_TESTS.rglob(f"{name}.py")) or [_TESTS / f"{name}.py"]
        )
        for module, names in tests.items()
    }


#: Module -> the least tests that should notice any change of it; quick ones first.
TESTS: Final[dict[str, tuple[str, ...]]] = {
    **_in(
        "detectors",
        {"budget": "test_budget"},
    ),
    **_in("detectors/references", {"segments": "test_segments"}),
    **_in(
        "detectors/windowed",
        {
            "bank": "test_windowed",
            "catalogue": "test_window_tests",
            "kernels": "test_windowed test_window_tests",
            "coarsening": "test_windowed test_window_tests",
            "name_share": "test_name_share",
            "power": "test_power",
            "rates": "test_rates test_windowed",
            "slot_bank": "test_seasons",
            "slot_coarsening": "test_seasons",
            "slot_rates": "test_seasons",
        },
    ),
    **_in(
        "stream/contracts",
        {"budget_summary": "test_evidence"},
    ),
    **_in(
        "stream/sketches",
        {
            "merge": "test_sketch test_panes",
            "sketch": "test_sketch test_panes",
        },
    ),
    **_in(
        "stream/stage1",
        {
            "accumulators": "test_chunk_counts test_summarise",
            "chunk_counts": "test_chunk_counts test_summarise test_combinations",
            "watermark": "test_clock test_summarise",
            "leads": "test_leads",
            "outcomes": "test_outcomes",
            "quorum": "test_clock",
            "summarise": "test_summarise test_versions test_clock",
            "versions": "test_versions",
        },
    ),
    **_in(
        "stream/join",
        {
            "held": "test_joiner",
            "joiner": "test_joiner",
            "pair_writer": "test_partition",
            "partition": "test_partition",
            "rows": "test_joiner",
        },
    ),
    **_in(
        "stream/stage2",
        {
            "admission": "test_monitor",
            "alarms": "test_time_in_alarm",
            "beginning": "test_from_the_start",
            "copies": "test_copy_counter test_duplicates",
            "days": "test_days",
            "delay": "test_told_late",
            "detection": "test_monitor test_slots test_since",
            "eviction": "test_eviction",
            "causes": "test_causes",
            "explained_by_quality": "test_one_cause",
            "fairness_tests": "test_fairness",
            "findings": "test_evidence test_share_findings",
            "frontier": "test_frontier test_monitor",
            "health": "test_health test_late_share test_leads",
            "learned_reference": "test_learn",
            "lifetime": "test_retiring",
            "limit_tests": "test_limits",
            "monitor": "test_monitor test_retiring",
            "late_rule": "test_monitor",
            "pane_reader": "test_monitor test_silence_and_rebase",
            "panes": "test_panes test_monitor",
            "phase": "test_learn test_monitor",
            "plan_notes": "test_plan_notes",
            "powerless": "test_told_late",
            "relation_tests": "test_outcomes test_concepts_of_sea",
            "sequential": "test_share_findings test_since test_monitor",
            "share_hits": "test_share_findings",
            "shared_tables": "test_shared_tables test_monitor",
            "snapshot": "test_snapshot",
            "subject": "test_monitor test_retiring test_untested",
            "version_bound": "test_retiring",
            "warmup": "test_calibrate test_learn",
            "windows": "test_windows",
        },
    ),
    **_in(
        "stream/alerts",
        {
            "episodes": "test_episodes test_single_days",
            "lasting": "test_episodes",
            "members": "test_episodes",
            "news": "test_episodes",
            "patience": "test_episodes",
            "single_days": "test_single_days",
            "sizes": "test_evidence",
        },
    ),
    **_in("stream/worker", {"dead_letter": "test_dead_letter"}),
}

#: Module, the line, and what it was changed to -> why no test can notice.
EQUIVALENT: Final[dict[tuple[str, str, str], str]] = {
    (
        "detectors/budget.py", "return table[-1][1]", "return table[-1][0]",
    ): "not reached: `at` is within the table",
    (
        "detectors/windowed/slot_coarsening.py", "return fine, Scales(0.0, 1.0, 1.0, 1.0)",
        "return fine, Scales(0.0, 1.0, 1.0, 1.5)",
    ): "of no rows nothing is tested",
    (
        "detectors/windowed/slot_rates.py", ".reshape(-1, 3)",
        ".reshape(-2, 3)",
    ): "numpy takes any negative number for the one that is left",
    (
        "stream/alerts/lasting.py",
        "windows: int = 0  # in a row in which the same went the other way",
        "windows: int = 1  # in a row in which the same went the other way",
    ): "what was never told cannot turn: the first that is told begins at 0",
    (
        "stream/alerts/single_days.py", "latest_ms: int = 0", "latest_ms: int = 1",
    ): "read only once a first day was seen, which sets it",
    (
        "stream/stage1/chunk_counts.py",
        'order = np.argsort(which, kind="stable") if len(panes) > 1 else slice(None)',
        'order = np.argsort(which, kind="stable") if len(panes) >= 1 else slice(None)',
    ): "rows of one pane are in order already: it only takes longer",
    (
        "stream/stage2/panes.py",
        "by_partition[_FORMER] = _StoredCounts(0, 0, parts.pop(), 0, parts, closed_ids=ids)",
        "by_partition[_FORMER] = _StoredCounts(1, 0, parts.pop(), 0, parts, closed_ids=ids)",
    ): "no summary comes of a former topic that it would be held against",
}  # fmt: skip
