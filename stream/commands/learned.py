"""What `replay` says and writes of a reference that the stream itself gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.commands.shared import say, when
from stream.text.counted import counted

if TYPE_CHECKING:
    from detectors import Reference
    from stream.files.row_events import RowMapping

__all__ = ["tell_learned"]


def tell_learned(replay: Any, mapping: RowMapping, path: Path | None) -> None:
    """Say from when on subjects were tested, or what is missing; write the reference if asked to.

    It is written with the columns of the file, so that `replay` and `produce` can read files by it.
    """
    from stream.plans.plan import LearningPlan

    written = False
    for subject, monitor in sorted(replay.monitor.subjects.items()):
        phase = monitor.phase
        if phase is None:
            continue
        plan, verb = phase.plan, "learned"
        if not isinstance(plan, LearningPlan):
            verb = "calibrated"
        if phase.warmup is not None:
            say(f"{subject}: {phase.warmup.missing()}; nothing was tested")
            continue
        if not phase.tested_since_ms or phase.detection is None:
            continue
        reference = phase.detection.plan.reference
        say(
            f"{subject}: reference {verb} from {counted(reference.events, 'event')}, "
            f"{counted(len(reference.signals), 'signal')}; "
            f"tested from {when(phase.tested_since_ms)} UTC on"
        )
        for words in reference.warnings:
            say(f"note: {words}")
        if path is not None and not written:
            reference = _for_file(reference, mapping, subject.version)
            path.write_bytes(reference.to_json())
            say(f"wrote {path} ({reference.hash[:19]})")
            written = True
    if path is not None and not written:
        say(f"warning: {path} was not written: no reference was learned or calibrated")


def _for_file(reference: Reference, mapping: RowMapping, version: str) -> Reference:
    """The reference with the file's names for the signals that are no features."""
    column_of = {role: column for column, role in mapping.roles.items() if role != "feature"}
    signals = tuple(replace(s, name=column_of.get(s.role, s.name)) for s in reference.signals)
    return replace(reference, version=version, columns=mapping.columns, signals=signals)
