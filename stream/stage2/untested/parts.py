"""Parts of a stream that are not compared with rows of their own in the reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.counting.sparse import decode_counts
from detectors.references.parts import LEAST_ROWS_OF_PART
from detectors.references.segments import columns_of_segments, segment_name, segment_of
from stream.plans.plan import Plan
from stream.stage2.detection import Detection
from stream.stage2.untested.reasons import Untested, listed
from stream.text.counted import counted
from stream.text.fairness_words import value_name

__all__ = ["parts_by_plan", "parts_now"]

_UNLIKE_BEFORE: Final = "One that always was unlike the rest is found from the start"


def parts_by_plan(plan: Plan) -> Iterator[Untested]:
    """Parts that have no reference of their own, or one without outcomes."""
    yield from _without_counts(plan)
    yield from _without_truths(plan)


def _without_counts(plan: Plan) -> Iterator[Untested]:
    known = {each.segment: each for each in plan.reference.parts}
    unknown = [segment for segment in plan.segments if segment not in known]
    if unknown:
        options = " ".join(f"--segment {','.join(columns_of_segments([s]))}" for s in unknown)
        why = f"fit again on rows that have them: {options}"
        if plan.reference.calendar is not None:
            why = "with slots it has counts by hour of the week, not by part"
        yield Untested(
            "whole",
            f"the parts of {listed([segment_name(s) for s in unknown])}, as the reference has no "
            f"counts by their values ({why}). {_UNLIKE_BEFORE}",
            is_gap=False,
        )
    for segment in plan.segments:
        if segment in known and (others := known[segment].others):
            yield Untested(
                "whole",
                f"{counted(others, 'rare value')} of {segment_name(segment)}: the reference has "
                f"fewer than {LEAST_ROWS_OF_PART} rows of each, or room for more frequent ones "
                f"only. {_UNLIKE_BEFORE}",
                is_gap=False,
            )


def _without_truths(plan: Plan) -> Iterator[Untested]:
    known = plan.outcome
    if known is None:
        return
    width = sum(s.binning.n_bins for s in plan.reference.signals) + known.cells.width
    without = [
        scope
        for scope, part in plan.parts.items()
        if not known.cells.events(decode_counts(part.counts, width)[-known.cells.width :])
    ]
    if without:
        named = counted(len(without), "part of the stream", "parts of the stream")
        if not plan.private:
            named = listed([value_name(scope) for scope in without])
        yield Untested(
            "outcomes",
            f"whether predictions are right in {named}: the reference has no truth of its rows "
            "there. Fit it again on rows that have; the whole stream is tested",
            amount=len(without),
        )


def parts_now(detection: Detection) -> Iterator[Untested]:
    """Parts that came, and of which the reference has no counts though it has them of others."""
    plan = detection.plan
    known = {segment_name(each.segment) for each in plan.reference.parts}
    fair = {of.column: of for of in plan.fairness}
    by_column: dict[str, list[str]] = {}
    for scope in list(detection.windows.last):
        column = segment_of(scope)
        if column in known and scope not in plan.parts:
            by_column.setdefault(column, []).append(scope)
    for column, scopes in sorted(by_column.items()):
        named = counted(len(scopes), f"value of {column}", f"values of {column}")
        if not plan.private:
            named = listed([value_name(scope) for scope in sorted(scopes)])
        words = f"{named}, as the reference has too few rows with them, or none. {_UNLIKE_BEFORE}"
        of = fair.get(column)
        if of is not None and not set(scopes) <= set(of.scopes):
            among = of.scopes[-1] in of.reference.rates
            words += "; fairness " + (
                f"takes them for {value_name(of.scopes[-1])}" if among else "does not compare them"
            )
        yield Untested("whole", words, amount=len(scopes), is_gap=False)
