"""What `fit` says when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.commands.fit_seasons import tell_seasons
from stream.commands.shared import print_table, say, say_lines, when
from stream.text.counted import counted
from stream.text.durations import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors import Binning, Reference
    from detectors.references.outcome import OutcomeReference
    from detectors.references.parts import SegmentParts
    from stream.commands.fit_file import Fitted

__all__ = ["report", "tell_doubts"]


def report(fitted: Fitted) -> None:
    """Print the signals, what was left out, what is doubtful, and what a config says of it."""
    from stream.plans.proposal import model_toml

    _table(fitted)
    reference = fitted.reference
    if fitted.timed:
        say(f"from {when(reference.first_ms)} to {when(reference.last_ms)} UTC")
    else:
        say("no --timestamp: rows count as one second apart, in the order of the file")
    tell_doubts(fitted)
    say_lines("for the config:\n" + model_toml(reference))


def tell_doubts(fitted: Fitted) -> None:
    """Say what is doubtful, what is not tested, which seasons show and how soon a shift would."""
    from stream.plans.proposal import proposed_plan
    from stream.stage2.delay import delay_words
    from stream.stage2.shared_tables import SharedTables
    from stream.stage2.untested import untested_by_plan

    reference, plan = fitted.reference, proposed_plan(fitted.reference)
    _kept = SharedTables.of(plan)  # or each question below would make it again
    if reference.time_step_ms == DAY_MS:
        dates = reference.first_ms % DAY_MS == 0
        say(
            f"the times are {'dates without a time of day' if dates else 'one a day'}: a pane of "
            "one day (1d) is proposed"
        )
    if reference.outcome is not None:
        say(_outcomes(reference, reference.outcome))
        for words in _fairness(reference, reference.outcome):
            say(words)
    for parts in reference.parts:
        say(_parts(parts))
    for words in reference.warnings:
        say(f"warning: {words}")
    untested = untested_by_plan(plan)
    for each in untested:
        say(each.warning)
    tell_seasons(reference, fitted.fitter, fitted.seasons)
    late = {name for each in untested if each.reason == "slow" for name in each.signals}
    for words in delay_words(plan, {s.name for s in plan.monitored} - late):
        say(words)


def _outcomes(reference: Reference, outcome: OutcomeReference) -> str:
    """Which outcomes the rows have, and how right the model was of them."""
    from detectors.outcomes.of_model import ModelMetrics
    from stream.text.metric_words import LEADING_METRICS, metric_words

    cells, found = outcome.cells, ModelMetrics(outcome, reference.signals).reference
    if cells.task == "binary":
        task = f"two classes, {cells.classes[1]!r} is positive"
        if not cells.predicted:
            task += f" and meant from a {cells.score} of {cells.threshold:g} on"
    elif cells.task == "multiclass":
        task = f"{len(cells.classes)} classes"
    else:
        task = "numbers"
    shown = [
        metric_words(name, found[name]) for name in LEADING_METRICS[cells.task] if name in found
    ]
    known = f"{outcome.events:,} of {counted(reference.events, 'row')}"
    return (
        f"outcomes ({task}): {known} have a truth; {', '.join(shown)}; in brackets 95 % intervals"
    )


def _fairness(reference: Reference, outcome: OutcomeReference) -> Iterator[str]:
    """How far apart the rates of the values of each protected column are."""
    from detectors.outcomes.fairness import Limits
    from detectors.outcomes.fairness_of_model import ModelFairness
    from stream.text.fairness_words import judged_words, range_words

    for protected in outcome.protected:
        of = ModelFairness(outcome, protected, reference.signals, Limits())
        rates = of.reference.rates
        shown = filter(None, (range_words(rates, rate) for rate in of.rates))
        yield f"fairness by {of.column!r}: {'; '.join(shown) or 'fewer than two values'}"
        if words := judged_words(of.reference):
            yield f"warning: {words}"


def _parts(parts: SegmentParts) -> str:
    """Which values of a segment are compared with their own rows."""
    from detectors.references.segments import segment_name
    from stream.text.counted import some_of
    from stream.text.fairness_words import value_name

    name = segment_name(parts.segment)
    if not parts.parts:
        return f"by {name}: no value has rows enough for counts of its own"
    rows = some_of([f"{value_name(p.scope)} ({p.events:,} rows)" for p in parts.parts], 5)
    which = counted(len(parts.parts), "value is", "values are")
    return f"by {name}: {which} compared with the same in the reference: {rows}"


def _table(fitted: Fitted) -> None:
    from detectors.fitting.worth import worth

    reference, table = fitted.reference, fitted.table
    rows = []
    for signal in reference.signals:
        binning = signal.binning
        missing = int(signal.counts[binning.missing])
        wrong = int(signal.counts[binning.invalid])
        rows.append(
            (
                signal.name,
                signal.role,
                signal.kind,
                _bins(binning),
                f"{missing / reference.events:.1%}" if missing else "-",
                "-" if (rows_worth := worth(signal)) is None else f"{rows_worth:,.0f}",
                "; ".join(
                    filter(
                        None,
                        (
                            counted(wrong, "value is not a number", "values are not numbers")
                            if wrong
                            else "",
                            "derived: how wrong predictions are"
                            if signal.is_derived
                            else table.columns[signal.name].note,
                        ),
                    )
                ),
            )
        )
    for name, note in fitted.notes.items():
        rows.append((name or "(no name)", "-", "-", "-", "-", "-", note))
    print_table(
        f"{reference.model} {reference.version}: {counted(reference.events, 'row')}".replace(
            " :", ":"
        ),
        ("signal", "role", "kind", "bins", "missing", "worth", "note"),
        rows,
    )


def _bins(binning: Binning) -> str:
    """How many of values, and of the names that have none of their own."""
    from detectors import NumericBinning

    if isinstance(binning, NumericBinning):
        return str(binning.edges.size - 1)
    own = len(binning.categories)
    return str(own) if binning.tail == 1 else f"{own} + {binning.tail}"
