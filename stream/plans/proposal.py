"""Pane and window that suit a reference's rate.

Shown by `fit`; workers and `replay` use them where the config does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from detectors import Reference
from detectors.references.segments import Segment
from stream.plans.plan import Plan
from stream.text.durations import DAY_MS, HOUR_MS, WEEK_MS

__all__ = [
    "DEFAULT_MAX_AGE_MS", "DEFAULT_PANE_MS", "model_toml", "propose", "proposed_lengths",
    "proposed_plan", "toml_segments", "toml_text",
]  # fmt: skip

#: Panes that divide a day, and so every cycle of whole days.
_PANES_MS: Final = (10_000, 60_000, 600_000, HOUR_MS, DAY_MS)
#: A pane should hold about this many events, for the sequential detectors to be worth their update.
_PANE_EVENTS: Final = 20
#: But be no longer: a change is found at a pane's end, and an hour of the day is seen by its hour.
_LONGEST_PANE_MS: Final = HOUR_MS
_WINDOW_EVENTS: Final = 1_000
#: Where there is no reference, or one without a rate.
DEFAULT_PANE_MS: Final = _PANES_MS[0]
DEFAULT_MAX_AGE_MS: Final = DAY_MS
_LABELS: Final = {10_000: "10s", 60_000: "1m", 600_000: "10m", HOUR_MS: "1h", DAY_MS: "1d"}


def propose(
    reference: Reference,
    *,
    cycle_ms: int | None = None,
    window_events: int = _WINDOW_EVENTS,
    max_age_ms: int | None = None,
) -> tuple[int, int]:
    """Pane and largest age of a window in milliseconds.

    A pane is at most an hour long, however few events that brings, unless times come by the day.
    The window may wait for its events at half the reference's rate, at least a day.

    Parameters
    ----------
    reference : Reference
        Its rate decides.
    cycle_ms : int, optional
        The season, which is to be a whole number of panes; the reference's unless given.
    window_events : int
        Events that close a window.
    max_age_ms : int, optional
        The pane must not be longer.
    """
    rate = reference.events_per_week / WEEK_MS
    if not rate:
        return DEFAULT_PANE_MS, DEFAULT_MAX_AGE_MS
    filled = next((p for p in _PANES_MS if rate * p >= _PANE_EVENTS), _PANES_MS[-1])
    pane = min(filled, _LONGEST_PANE_MS)
    if reference.time_step_ms in _PANES_MS:
        pane = max(pane, reference.time_step_ms)  # all events of a day come at one time of it
    calendar = reference.calendar
    if calendar is not None and not calendar.fits(pane):
        pane = min(pane, calendar.longest_pane_ms)
    cycle = reference.cycle_ms if cycle_ms is None else cycle_ms
    fitting = [
        p
        for p in _PANES_MS
        if p <= pane and cycle % p == 0 and (max_age_ms is None or p <= max_age_ms)
    ]
    days = -(-int(2 * window_events / rate) // DAY_MS)
    return fitting[-1] if fitting else _PANES_MS[0], max(1, days) * DAY_MS


def proposed_plan(reference: Reference) -> Plan:
    """The plan by the proposal, with default settings for all else."""
    pane_ms, max_age_ms = propose(reference)
    return Plan(
        model=reference.model,
        reference=reference,
        segments=reference.segments,
        protected=reference.protected,
        pane_ms=pane_ms,
        window_max_age_ms=max_age_ms,
        cycle_ms=reference.cycle_ms,
    )


def proposed_lengths(reference: Reference) -> tuple[str, str]:
    """Pane and largest age of a window as a config writes them."""
    pane, max_age = propose(reference)
    return _LABELS[pane], f"{max_age // DAY_MS}d"


def model_toml(reference: Reference) -> str:
    """Give the `[[models]]` of a config for this reference."""
    pane, max_age = proposed_lengths(reference)
    lines = [
        "[[models]]",
        f"name = {toml_text(reference.model)}",
        'reference = "..."  # this file',
    ]
    lines.append(f'pane = "{pane}"')
    if max_age != "1d":
        lines.append(f'window = {{ max_age = "{max_age}" }}')
    return "\n".join("  " + line for line in lines)


def toml_segments(segments: Iterable[Segment]) -> str:
    """A list of them in TOML: `["region", ["sex", "age_band"]]`."""
    items = (toml_text(s) if isinstance(s, str) else toml_segments(s) for s in segments)
    return f"[{', '.join(items)}]"


def toml_text(text: str) -> str:
    """A basic string of TOML, whatever is in it."""
    escaped = (
        char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08X}" for char in text
    )
    return f'"{"".join(escaped)}"'
