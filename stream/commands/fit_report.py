"""What `fit` says when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.commands.fit_delay import delay_words
from stream.commands.fit_seasons import tell_seasons
from stream.commands.shared import print_table, say, say_lines, when
from stream.commands.untested_lines import late_signals, warning, with_delays
from stream.counted import counted

if TYPE_CHECKING:
    from detectors import Binning, Reference, ReferenceFitter, Seasons
    from stream.data import DataTable

__all__ = ["report"]

_DAY_MS: Final = 86_400_000


def report(
    reference: Reference, table: DataTable, notes: dict[str, str], timed: bool,
    fitter: ReferenceFitter, seasons: Seasons,
) -> None:  # fmt: skip
    """Print the signals, what was left out, and what is doubtful."""
    from detectors.fitting.worth import worth
    from stream.monitoring.untested import untested_by_plan
    from stream.proposal import model_toml, proposed_plan

    rows = []
    for signal in reference.signals:
        binning = signal.binning
        missing = int(signal.counts[binning.missing])
        wrong = int(signal.counts[binning.invalid])
        rows.append(
            (
                signal.name, signal.role, signal.kind, _bins(binning),
                f"{missing / reference.events:.1%}" if missing else "-",
                "-" if (rows_worth := worth(signal)) is None else f"{rows_worth:,.0f}",
                "; ".join(filter(None, (
                    counted(wrong, "value is not a number", "values are not numbers")
                    if wrong else "",
                    table.columns[signal.name].note,
                ))),
            )
        )  # fmt: skip
    for name, note in notes.items():
        rows.append((name or "(no name)", "-", "-", "-", "-", "-", note))
    print_table(
        f"{reference.model} {reference.version}: {counted(reference.events, 'row')}".replace(
            " :", ":"
        ),
        ("signal", "role", "kind", "bins", "missing", "worth", "note"),
        rows,
    )
    if timed:
        say(f"from {when(reference.first_ms)} to {when(reference.last_ms)} UTC")
    else:
        say("no --timestamp: rows count as one second apart, in the order of the file")
    if reference.time_step_ms == _DAY_MS:
        dates = reference.first_ms % _DAY_MS == 0
        say(
            f"the times are {'dates without a time of day' if dates else 'one a day'}: a pane of "
            "one day (1d) is proposed below"
        )
    for words in reference.warnings:
        say(f"warning: {words}")
    plan = proposed_plan(reference)
    untested = with_delays(untested_by_plan(plan), plan)
    for each in untested:
        say(warning(each))
    tell_seasons(reference, fitter, seasons)
    for words in delay_words(plan, {s.name for s in plan.monitored} - late_signals(untested)):
        say(words)
    say_lines("for the config:\n" + model_toml(reference))


def _bins(binning: Binning) -> str:
    """How many of values, and of the names that have none of their own."""
    from detectors import NumericBinning

    if isinstance(binning, NumericBinning):
        return str(binning.edges.size - 1)
    own = len(binning.categories)
    return str(own) if binning.tail == 1 else f"{own} + {binning.tail}"
