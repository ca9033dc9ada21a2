"""Which tests concern which module, and which changes change nothing."""

from __future__ import annotations

from typing import Final

__all__ = ["EQUIVALENT", "TESTS"]


def _in(folder: str, tests: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Modules of a folder with the names of their test files."""
    return {
        f"{folder}/{module}.py": tuple(f"tests/{name}.py" for name in names.split())
        for module, names in tests.items()
    }


#: Module -> the least tests that should notice any change of it; quick ones first.
TESTS: Final[dict[str, tuple[str, ...]]] = {
    **_in(
        "detectors",
        {"budget": "detectors/test_budget"},
    ),
    **_in(
        "detectors/windowed",
        {
            "bank": "detectors/test_windowed",
            "catalogue": "detectors/test_window_tests",
            "kernels": "detectors/test_windowed detectors/test_window_tests",
            "coarsening": "detectors/test_windowed detectors/test_window_tests",
            "name_share": "detectors/test_name_share",
            "power": "detectors/test_power",
            "rates": "detectors/test_rates detectors/test_windowed",
            "slot_bank": "detectors/test_seasons",
            "slot_coarsening": "detectors/test_seasons",
            "slot_rates": "detectors/test_seasons",
        },
    ),
    **_in(
        "stream/contracts",
        {"budget_summary": "stream/test_evidence"},
    ),
    **_in(
        "stream/sketches",
        {
            "merge": "stream/test_sketch stream/test_panes",
            "sketch": "stream/test_sketch stream/test_panes",
        },
    ),
    **_in(
        "stream/stage1",
        {
            "accumulators": "stream/test_chunk_counts stream/test_summarise",
            "chunk_counts": "stream/test_chunk_counts stream/test_summarise",
            "clock": "stream/test_clock stream/test_summarise",
            "leads": "stream/test_leads",
            "quorum": "stream/test_clock",
            "summarise": "stream/test_summarise stream/test_versions stream/test_clock",
            "versions": "stream/test_versions",
        },
    ),
    **_in(
        "stream/stage2",
        {
            "admission": "stream/test_monitor",
            "alarms": "stream/test_time_in_alarm",
            "beginning": "stream/test_from_the_start",
            "copies": "stream/test_copy_counter stream/test_duplicates",
            "days": "stream/test_days",
            "delay": "stream/test_told_late",
            "detection": "stream/test_monitor stream/test_slots stream/test_since",
            "eviction": "stream/test_eviction",
            "explained_by_quality": "stream/test_one_cause",
            "findings": "stream/test_evidence stream/test_share_findings",
            "frontier": "stream/test_frontier stream/test_monitor",
            "health": "stream/test_health stream/test_late_share stream/test_leads",
            "learned_reference": "stream/test_learn",
            "lifetime": "stream/test_retiring",
            "monitor": "stream/test_monitor stream/test_retiring",
            "offering": "stream/test_monitor",
            "pane_reader": "stream/test_monitor stream/test_silence_and_rebase",
            "panes": "stream/test_panes stream/test_monitor",
            "phase": "stream/test_learn stream/test_monitor",
            "plan_notes": "stream/test_plan_notes",
            "powerless": "stream/test_told_late",
            "sequential": "stream/test_share_findings stream/test_since stream/test_monitor",
            "share_hits": "stream/test_share_findings",
            "shared_tables": "stream/test_shared_tables stream/test_monitor",
            "snapshot": "stream/test_snapshot",
            "subject": "stream/test_monitor stream/test_retiring stream/test_untested",
            "version_bound": "stream/test_retiring",
            "warmup": "stream/test_learn",
            "windows": "stream/test_windows",
        },
    ),
    **_in(
        "stream/alerts",
        {
            "episodes": "stream/test_episodes stream/test_single_days",
            "lasting": "stream/test_episodes",
            "members": "stream/test_episodes",
            "news": "stream/test_episodes",
            "patience": "stream/test_episodes",
            "reminders": "stream/test_episodes",
            "single_days": "stream/test_single_days",
            "sizes": "stream/test_evidence",
        },
    ),
    **_in("stream/worker", {"dead_letter": "stream/test_dead_letter"}),
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
        "detectors/windowed/slot_rates.py", ").reshape(-1, 3).T  # fmt: skip",
        ").reshape(-2, 3).T  # fmt: skip",
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
