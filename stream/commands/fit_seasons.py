"""Seasons in `fit`: what its options ask for, and what it says of slots."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.shared import IN_FILE, say
from stream.text.durations import DAY_MS, WEEK_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors import Reference, ReferenceFitter, Seasons

__all__ = ["season_options", "seasons_of", "tell_seasons", "wanted_cycle"]

#: A season is proposed to somebody who did not ask if slots explain this share of the variance.
_WORTH_SAYING: Final = 0.02
#: Days that show all types of days, and days that show well how days vary.
_ALL_TYPES_FROM, _LEVELS_FROM = 14, 28
#: Days vary clearly more than their hours where their design effect is so many times as large.
_STAND_OUT: Final = 3.0
#: Smaller levels of days, in standard deviations, are not worth a number.
_MIN_LEVEL: Final = 0.005
#: A signal of which slots explain so much says what time it is.
_IS_THE_CLOCK: Final = 0.9
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def season_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `fit` that are about seasons."""
    for option in (
        click.option(
            "--cycle",
            default="",
            help="Old word: 24h or 7d is as --slots auto. Other lengths: windows of whole cycles.",
        ),
        click.option(
            "--holidays",
            "holidays_path",
            metavar="FILE",
            type=IN_FILE,
            help="Dates that are as Sundays, one a line, such as 2026-12-25. With --slots.",
        ),
        click.option(
            "--keep-days",
            is_flag=True,
            help="Count days that are unlike all others of their weekday as usual ones. With "
            "--slots. Default: they are named and left out.",
        ),
        click.option(
            "--time-zone",
            default="",
            metavar="ZONE",
            help="Clock that the season follows, such as Europe/Berlin. Default: UTC.",
        ),
        click.option(
            "--slots",
            type=click.Choice(["auto", "hours", "off"]),
            help="Judge hours of the week against themselves: auto finds which hours and days are "
            "alike, hours takes all days for alike, off looks for none. Default: look and propose.",
        ),
    ):
        command = option(command)
    return command


def wanted_cycle(cycle: str, slots: str | None) -> tuple[int, str | None]:
    """The cycle in milliseconds, 0 where slots take its place, and what is wanted of these."""
    from stream.text.durations import duration_ms

    if not cycle:
        return 0, slots
    length = duration_ms(cycle)
    if not length:
        raise click.BadParameter(
            f"{cycle!r} is not a duration. Use 24h or 7d.", param_hint="--cycle"
        )
    if slots is not None:
        raise click.UsageError("--cycle and --slots say the same: leave --cycle out.")
    if DAY_MS % length and length not in (DAY_MS, WEEK_MS):
        return length, "off"  # no slot of the week tells it
    return 0, "auto"


def seasons_of(
    slots: str | None,
    time_zone: str,
    holidays_path: Path | None,
    timed: bool,
    *,
    keep_days: bool = False,
) -> Seasons:
    """What the options ask for."""
    from detectors import InvalidReferenceError, Seasons

    if slots in ("auto", "hours") and not timed:
        raise click.UsageError("--slots needs times. Name their column with --timestamp.")
    if holidays_path is not None and slots not in ("auto", "hours"):
        raise click.UsageError("--holidays needs --slots auto.")
    if keep_days and slots not in ("auto", "hours"):
        raise click.UsageError("--keep-days needs --slots auto.")
    holidays: tuple[str, ...] = ()
    if holidays_path is not None:
        lines = (line.partition("#")[0].strip() for line in holidays_path.read_text().splitlines())
        holidays = tuple(dict.fromkeys(line for line in lines if line))
    try:
        return Seasons(slots or "look", time_zone or "UTC", holidays, keep_days)
    except InvalidReferenceError as error:
        raise click.UsageError(str(error)) from None


def tell_seasons(reference: Reference, fitter: ReferenceFitter, seasons: Seasons) -> None:
    """What was found of seasons, what was done about it, and what could be."""
    found = fitter.seasonal
    if found is None:
        if seasons.slots == "look" and (why := fitter.why_no_seasons):
            say(f"seasons were not looked for: {why}")
        return
    calendar = found.calendar
    most = sorted(found.explained.items(), key=lambda item: -item[1])
    most = [(name, share) for name, share in most if share >= _WORTH_SAYING]
    if not seasons.declared:
        if calendar.slots > 1 and most:
            zone = calendar.time_zone
            local = (
                ""
                if zone != "UTC"
                else ("; if it keeps to a clock that changes, name that, such as Europe/Berlin")
            )
            say(
                f"a season shows: {_in_words(calendar.slots, calendar.words)}, explain "
                f"{_shares(most)} in {found.days} days. To judge each hour against itself: "
                f"--slots auto --time-zone {zone}{local}"
            )
        return
    say(
        f"slots: {_in_words(calendar.slots, calendar.words)} by the clock of "
        f"{calendar.time_zone}, explaining {_shares(most) if most else 'little of any signal'}"
    )
    for line in _table(calendar.slot.reshape(7, 24).tolist()):
        say(f"  {line}")
    if calendar.slots == 1:
        say("no hour differs from the others: days are reckoned with, seasons are not needed")
    for name, share in most:
        if share >= _IS_THE_CLOCK:
            say(
                f"warning: {name}: follows the clock ({share:.0%} of its variance is the hour's), "
                "so what is left of it is when events come, not what they are: --ignore it?"
            )
    _warn_of_short(found.days, found.weekdays)
    _tell_levels(reference, found.days)


def _in_words(slots: int, words: str) -> str:
    return f"{slots} slot{'s' if slots > 1 else ''}, {words}"


def _shares(most: list[tuple[str, float]]) -> str:
    named = ", ".join(f"{share:.0%} of the variance of {name!r}" for name, share in most[:3])
    return named + (f" and less of {len(most) - 3} more" if len(most) > 3 else "")


def _table(slots: list[list[int]]) -> list[str]:
    """Hours of each slot, days with the same ones in one line."""
    lines = []
    day = 0
    while day < 7:
        until = day
        while until + 1 < 7 and slots[until + 1] == slots[day]:
            until += 1
        days = _WEEKDAYS[day][:3] + (f"-{_WEEKDAYS[until][:3]}" if until > day else "")
        borders = [0, *(h for h in range(1, 24) if slots[day][h] != slots[day][h - 1]), 24]
        spans = " ".join(f"{a}-{b}" for a, b in pairwise(borders))
        lines.append(f"{days}: {spans}")
        day = until + 1
    return lines


def _warn_of_short(days: int, weekdays: frozenset[int]) -> None:
    absent = [name for i, name in enumerate(_WEEKDAYS) if i not in weekdays]
    if days < 7:
        say(f"warning: {days} days show hours of the day only; a week cannot be seen. Give 2 weeks")
    elif days < _ALL_TYPES_FROM:
        say(f"warning: {days} days have one weekend or two only: wide margin. Give 2 weeks or more")
    elif days < _LEVELS_FROM:
        say(f"{days} days: 28 show better how days differ from each other")
    if absent:
        say(
            f"warning: no {' or '.join(absent)} in the reference: they are judged as the other "
            "days and will alarm if they differ. Give 2 whole weeks, or leave those days out"
        )


def _tell_levels(reference: Reference, days: int) -> None:
    """Which signals' days have levels of their own, or follow each other, and what that hides."""
    levels: list[tuple[float, str]] = []
    following: list[tuple[float, str]] = []
    for signal in reference.signals:
        slots = signal.slots
        if slots is None or signal.kind != "numeric":
            continue
        if signal.calibration.phi_x > _STAND_OUT * slots.short.phi_x:
            # Of few values a day is one batch: it tells nothing of levels within it.
            level = slots.level_x * math.sqrt(12.0)
            (levels if level >= _MIN_LEVEL else following).append((level, signal.name))
    if levels:
        level, named = max(levels)[0], _with_others(levels)
        say(
            f"days have levels of their own in {named}, of about {level:.2g} standard "
            f"deviations ({days} days): smaller shifts take days to be told from them"
        )
    if following:
        say(
            f"days follow each other in {_with_others(following)} ({days} days): a shift must last "
            "for some of them to be told from that"
        )


def _with_others(signals: list[tuple[float, str]]) -> str:
    """The signal with the largest level, and how many more."""
    more = f" and {len(signals) - 1} more" if len(signals) > 1 else ""
    return f"{max(signals)[1]!r}{more}"
