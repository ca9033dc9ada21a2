"""What `fit` says when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.commands.shared import print_table, say, say_lines, when

if TYPE_CHECKING:
    from detectors import Reference, ReferenceFitter
    from stream.data import DataTable

__all__ = ["daily_signals", "report"]

#: A daily cycle is proposed if the hour explains this share of what differs between hours.
_DAILY_SHARE: Final = 0.5
_DAY_MS: Final = 86_400_000
#: Sampled rows in which a daily cycle is looked for.
_DAILY_ROWS: Final = 100_000


def daily_signals(fitter: ReferenceFitter, kinds: dict[str, str]) -> list[str]:
    """Numeric signals that follow the hour of the day."""
    from stream.proposal import daily_share

    times, pace = fitter.sample_times(), fitter.pace()
    if times is None or pace is None:
        return []
    together = ~pace.odd(times)
    times = times[together]
    step = -(-times.size // _DAILY_ROWS)
    return [
        name
        for name, kind in kinds.items()
        if kind == "numeric"
        and daily_share(fitter.sample(name)[together][::step], times[::step]) >= _DAILY_SHARE
    ]


def report(
    reference: Reference, table: DataTable, notes: dict[str, str], timed: bool,
    daily: list[str],
) -> None:  # fmt: skip
    """Print the signals, what was left out, and what is doubtful."""
    from detectors import NumericBinning
    from detectors.fitting.worth import worth
    from stream.proposal import model_toml

    rows = []
    for signal in reference.signals:
        binning = signal.binning
        used = (
            binning.edges.size - 1
            if isinstance(binning, NumericBinning)
            else len(binning.categories)
        )
        missing = int(signal.counts[binning.missing])
        wrong = int(signal.counts[binning.invalid])
        rows.append(
            (
                signal.name, signal.role, signal.kind, str(used),
                f"{missing / reference.events:.1%}" if missing else "-",
                "-" if (rows_worth := worth(signal)) is None else f"{rows_worth:,.0f}",
                f"{wrong:,} values are not numbers" if wrong else table.columns[signal.name].note,
            )
        )  # fmt: skip
    for name, note in notes.items():
        rows.append((name or "(no name)", "-", "-", "-", "-", "-", note))
    print_table(
        f"{reference.model} {reference.version}: {reference.events:,} rows".replace(" :", ":"),
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
    for warning in reference.warnings:
        say(f"warning: {warning}")
    if daily:
        more = f" and {len(daily) - 3} more" if len(daily) > 3 else ""
        say(
            f"a daily cycle shows in {', '.join(daily[:3])}{more}: with --cycle 24h day and night "
            "are no drift"
        )
    say_lines("for the config:\n" + model_toml(reference))
