"""What a reference's slots ask of a plan, and what asks for slots."""

from __future__ import annotations

from collections.abc import Mapping

from detectors import Calendar, SignalReference
from stream.plans.base import BasePlan, PlanError

__all__ = ["DAY", "check_slots"]

#: The test of single days.
DAY = "day"


def check_slots(
    plan: BasePlan, calendar: Calendar | None, signals: Mapping[str, SignalReference | None]
) -> None:
    """Panes are to be of one slot each, and single days are tested of numbers by slot alone.

    `signals` are the monitored ones by name, None where nobody knows them yet.
    """
    for name, signal in signals.items():
        if DAY not in (plan.options(name).tests or ()):
            continue
        if calendar is None:
            raise PlanError(
                f"plan {plan.model}: signals.{name}.tests has {DAY!r}, which needs a reference "
                "with slots. Fit one with --slots auto, or leave the test out."
            )
        if signal is not None and signal.kind != "numeric":
            raise PlanError(
                f"plan {plan.model}: signal {name!r} is {signal.kind}: test {DAY!r} is not for "
                "it. Leave the test out."
            )
    if calendar is None:
        return
    if plan.cycle_ms:
        raise PlanError(
            f"plan {plan.model}: cycle must be left out: the reference has slots, and no "
            f"slot of the week knows a cycle of {plan.cycle_ms} ms."
        )
    if not calendar.fits(plan.pane_ms):
        raise PlanError(
            f"plan {plan.model}: pane must be one hour or less, and divide the hours of "
            f"{calendar.time_zone}, for a reference with slots; got {plan.pane_ms} ms. "
            f"Set pane to {calendar.longest_pane_ms // 60_000}m."
        )
