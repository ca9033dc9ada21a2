"""`replay --fail-on`: whether the data may pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.contracts.alert_event import SEVERITIES
from stream.contracts.errors import GateError
from stream.report.replay_words import gaps_of
from stream.text.counted import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.contracts.alert_event import AlertEvent, Severity
    from stream.stage2.untested import AtEnd

__all__ = ["pass_or_fail", "worse_of"]


def worse_of(alert: AlertEvent, before: AlertEvent | None) -> AlertEvent:
    """The more severe of an episode's revision and the worst one of before; the older of equals."""
    if before is None:
        return alert
    return max(before, alert, key=lambda each: SEVERITIES.index(each.data.severity))


def pass_or_fail(fail_on: Severity, worst: Mapping[str, AlertEvent], at_end: AtEnd) -> str:
    """Words for data that passed: no episode was ever so severe, and something was tested.

    Parameters
    ----------
    fail_on : str
        The mildest severity that does not pass.
    worst : mapping
        Episode -> its most severe revision.
    at_end : AtEnd
        What was not tested, and whether anything was.

    Raises
    ------
    GateError
        If the data do not pass.
    """
    floor = SEVERITIES.index(fail_on)
    severe = [a.data for a in worst.values() if SEVERITIES.index(a.data.severity) >= floor]
    what = fail_on if fail_on == SEVERITIES[-1] else f"{fail_on} or more"
    if severe:
        kinds = dict.fromkeys(f"{each.labels.kind} {each.severity}" for each in severe)
        opened = f"{counted(len(severe), 'episode')} of {what}"
        raise GateError(f"--fail-on {fail_on}: failed, {opened}: {', '.join(kinds)}")
    if not at_end.tested:
        raise GateError(
            f"--fail-on {fail_on}: failed, as nothing was tested; the warnings above say why"
        )
    limited = " in what was tested; the warnings above say what was not" if gaps_of(at_end) else ""
    return f"--fail-on {fail_on}: passed, no episode of {what}{limited}"
