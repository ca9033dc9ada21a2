"""Pane and window that suit a reference's rate: proposed by `fit`, used by `replay`."""

from __future__ import annotations

from typing import Final

from detectors import Reference

__all__ = ["model_toml", "propose"]

_WEEK_MS: Final = 604_800_000
_DAY_MS: Final = 86_400_000
#: Panes that divide a day, and so every cycle of whole days.
_PANES_MS: Final = (10_000, 60_000, 600_000, 3_600_000, _DAY_MS)
#: A pane should hold about this many events, for the sequential detectors to be worth their update.
_PANE_EVENTS: Final = 20
_WINDOW_EVENTS: Final = 1_000
_LABELS: Final = {10_000: "10s", 60_000: "1m", 600_000: "10m", 3_600_000: "1h", _DAY_MS: "1d"}


def propose(reference: Reference) -> tuple[int, int]:
    """Pane and largest age of a window in milliseconds.

    The window may wait for 1,000 events at half the reference's rate, at least a day.
    """
    rate = reference.events_per_week / _WEEK_MS
    pane = _PANES_MS[0]
    if not rate:
        return pane, _DAY_MS
    for pane in _PANES_MS:
        if rate * pane >= _PANE_EVENTS:
            break
    if reference.first_ms % _DAY_MS == 0 == reference.last_ms % _DAY_MS:
        pane = _DAY_MS  # dates without a time: all events of a day come at its start
    if reference.cycle_ms:
        while reference.cycle_ms % pane and pane > _PANES_MS[0]:
            pane = _PANES_MS[_PANES_MS.index(pane) - 1]
    days = -(-int(2 * _WINDOW_EVENTS / rate) // _DAY_MS)
    return pane, max(1, days) * _DAY_MS


def model_toml(reference: Reference) -> str:
    """Give the `[[models]]` of a config for this reference."""
    pane, max_age = propose(reference)
    lines = ["[[models]]", f'name = "{reference.model}"', 'reference = "..."  # this file']
    lines.append(f'pane = "{_LABELS[pane]}"')
    if max_age > _DAY_MS:
        lines.append(f'window = {{ max_age = "{max_age // _DAY_MS}d" }}')
    return "\n".join("  " + line for line in lines)
