"""The options that say what the columns of training data are: of `fit` and of `init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.fit_seasons import season_options
from stream.commands.shared import IN_FILE, data_argument, hash_key_option

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from detectors.references.segments import Segment

__all__ = ["fit_options", "segments_of_options"]


_OPTIONS: Final = (
    data_argument,
    click.option("--version", default="", help="Model version the data belong to."),
    click.option(
        "--timestamp", metavar="COLUMN", help="Event time: RFC 3339, dates or epoch numbers."
    ),
    click.option("--id", "identity", metavar="COLUMN", help="Identifier of each prediction."),
    click.option(
        "--prediction", metavar="COLUMN", help="What the model said: a class or a number."
    ),
    click.option("--score", metavar="COLUMN", help="The model's probability or score."),
    click.option("--actual", metavar="COLUMN", help="What turned out to be true."),
    click.option(
        "--labels",
        "labels_path",
        type=IN_FILE,
        help="A file that has the truths, in a column with the name that --actual says, joined by "
        "--id.",
    ),
    click.option(
        "--positive", metavar="CLASS", help="Of two classes the one that the model looks for."
    ),
    click.option(
        "--threshold",
        type=float,
        help="Without --prediction: the score from which that class is meant. Default: 0.5.",
    ),
    click.option(
        "--segment",
        "segments",
        metavar="COLUMN[,COLUMN]",
        multiple=True,
        help="Watch per value; of two or three columns per combination of values.",
    ),
    click.option(
        "--protected",
        metavar="COLUMN[,COLUMN]",
        multiple=True,
        help="Watch so, and whether outcomes differ by it: fairness.",
    ),
    click.option(
        "--role",
        "roles",
        metavar="COLUMN=ROLE",
        multiple=True,
        help="What a column is: feature, label, score, actual or latency.",
    ),
    click.option(
        "--categorical", metavar="COLUMN", multiple=True, help="Its values are names, not numbers."
    ),
    click.option("--numeric", metavar="COLUMN", multiple=True, help="Its values are numbers."),
    click.option(
        "--keep",
        metavar="COLUMN",
        multiple=True,
        help="Keep a column that would be left out as an index or identifier.",
    ),
    click.option(
        "--missing",
        metavar="TEXT",
        multiple=True,
        help="What stands for no value, beside an empty field, null and NaN; '' for nothing else.",
    ),
    click.option(
        "--delimiter", default="", help="Between the fields of a CSV. Default: found out."
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="Of the numbers of a CSV. Default: found out, by column.",
    ),
    click.option(
        "--ignore", "--drop", "ignored", metavar="COLUMN", multiple=True, help="Leave a column out."
    ),
    click.option(
        "--hash",
        "hashed",
        metavar="COLUMN",
        multiple=True,
        help="Keep the categories of a column under a keyed hash only; see --hash-key-file.",
    ),
    hash_key_option,
    season_options,
)


def fit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command DATA and these options; `fit_file` takes them under the same names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def segments_of_options(given: Iterable[str], columns: Collection[str]) -> tuple[Segment, ...]:
    """What `--segment` and `--protected` mean, each once.

    A name with commas is a combination, unless there is a column with that whole name.
    """
    from detectors.references.segments import check_segments

    found: dict[Segment, None] = {}
    for name in given:
        members = tuple(map(str.strip, name.split(",")))
        found[name if name in columns or len(members) == 1 else members] = None
    try:
        check_segments(found)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--segment, --protected") from None
    return tuple(found)
