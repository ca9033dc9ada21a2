"""A mapping guessed from one sample: by what members are called, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stream.contracts.event_time import as_time
from stream.decode.formats.contract import Mapped
from stream.decode.formats.paths import EACH, Path, is_readable

__all__ = ["Guess", "guess_mapping", "leaves_of", "untaken"]

#: What a member is called that is something, the surest name first; without case and underscores.
_NAMES: Final = {
    "timestamp": ("timestamp", "eventtime", "time", "ts", "at", "when", "datetime", "createdat",
                  "requesttime", "date", "created"),
    "id": ("predictionid", "requestid", "inferenceid", "eventid", "transactionid", "id", "uuid",
           "rid"),
    "model": ("modelname", "model", "modelid", "servicename"),
    "version": ("modelversion", "version", "release"),
    "actual": ("actual", "groundtruth", "truth", "target", "ytrue"),
    "prediction": ("prediction", "predictedlabel", "predictedclass", "predicted", "label", "class",
                   "ypred", "decision", "output", "result", "predictions"),
    "score": ("score", "probability", "proba", "prob", "confidence", "p", "scores"),
    "latency": ("latency", "duration", "elapsed", "took", "responsetime", "latencyseconds"),
}  # fmt: skip
_FEATURES: Final = (
    "features",
    "inputs",
    "input",
    "instances",
    "instance",
    "request",
    "data",
    "x",
    "row",
    "rows",
    "payload",
)
_UNITS: Final = (
    ("ms", "millis", "milliseconds"),
    ("us", "micros", "microseconds"),
    ("ns", "nanos", "nanoseconds"),
    ("s", "sec", "seconds"),
)
_DEEPEST: Final = 8
_MAX_FIELDS: Final = 2_000
_Leaf = tuple[Path, Any]


@dataclass
class Guess:
    """Paths by what they are thought to be, and why nothing is said of the rest."""

    paths: dict[str, Path] = field(default_factory=dict)
    star: Path | None = None
    features: dict[str, Path] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    latency_unit: str = "s"

    @property
    def mapped(self) -> Mapped:
        """As the mapping of a config."""
        paths: Any = self.paths
        return Mapped(
            **paths,
            star=self.star,
            features=self.features,
            ignore=self.ignore,
            latency_unit=self.latency_unit,
        )


def leaves_of(document: Any) -> list[_Leaf]:
    """Every value that is no object, with its path; of arrays their first member, as `EACH`."""
    found: list[_Leaf] = []
    for leaf in _walk(document, ()):
        found.append(leaf)
        if len(found) == _MAX_FIELDS:
            break
    return found


def _walk(value: Any, path: Path) -> Iterator[_Leaf]:
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _walk(member, (*path, name))
    elif isinstance(value, list) and value and EACH not in path:
        yield from _walk(value[0], (*path, EACH))
    else:
        yield path, value


def guess_mapping(document: Any) -> Guess:
    """What a document most likely says where."""
    guess, leaves = Guess(), leaves_of(document)
    whole = _features_object(document)
    rows = whole is not None and EACH in whole
    inside = [] if whole is None else [path for path, _ in leaves if path[: len(whole)] == whole]
    taken: set[Path] = set(inside)
    for key, names in _NAMES.items():
        best = _best(leaves, names, key, taken, rows=rows)
        if best is not None:
            taken.add(best)
            guess.paths[key] = best
    if (latency := guess.paths.get("latency")) is not None:
        guess.latency_unit = _unit_of(_last(latency))
    _set_features(guess, document, whole, inside, leaves)
    return guess


def _set_features(
    guess: Guess, document: Any, whole: Path | None, inside: Sequence[Path], leaves: list[_Leaf]
) -> None:
    if whole is not None:
        if all(len(path) > len(whole) and isinstance(path[len(whole)], str) for path in inside):
            guess.star = whole
        return
    # Nothing is called features: what lies beside the rest at the top is.
    if isinstance(document, dict) and any(_is_scalar(v) for v in document.values()):
        named = {path[0] for path in guess.paths.values()}
        others = {p[0] for p, value in leaves if p and (len(p) > 1 or not _is_scalar(value))}
        if set(document) - named - others:
            guess.star = ()
            guess.ignore = tuple(sorted(str(name) for name in others - named))


def _features_object(document: Any) -> Path | None:
    """The place of the object, or of each object, whose members are the features."""
    best: tuple[int, int, Path] | None = None
    for path, value in _objects(document, ()):
        name = _plain(_last(path))
        if name not in _FEATURES or not is_readable(path):
            continue
        scalars = sum(_is_scalar(member) for member in value.values())
        if scalars and (best is None or (_FEATURES.index(name), len(path)) < best[:2]):
            best = _FEATURES.index(name), len(path), path
    return None if best is None else best[2]


def _objects(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        if path:
            yield path, value
        for name, member in value.items():
            yield from _objects(member, (*path, name))
    elif isinstance(value, list) and value and EACH not in path:
        yield from _objects(value[0], (*path, EACH))


def _best(
    leaves: list[_Leaf], names: Sequence[str], key: str, taken: set[Path], *, rows: bool
) -> Path | None:
    ranked = []
    for path, value in leaves:
        name = _plain(_last(path))
        if key == "latency":
            name = _without_unit(_last(path))
        if key in ("model", "version") and len(path) > 1 and _plain(str(path[-2])) == "model":
            name = {"name": "modelname", "id": "modelid", "version": "modelversion"}.get(name, name)
        if path in taken or name not in names or (EACH in path and not rows):
            continue
        if not is_readable(path):
            continue
        if _fits(key, value):
            ranked.append((names.index(name), len(path), path))
    return min(ranked)[2] if ranked else None


def _fits(key: str, value: Any) -> bool:
    if key == "timestamp":
        return not isinstance(value, bool) and as_time(value) is not None
    if key == "model":
        return isinstance(value, str)
    if key in ("score", "latency"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return _is_scalar(value) and value is not None


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _last(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _words(name: str) -> list[str]:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().replace("-", "_").split("_")


def _unit_of(name: str) -> str:
    last = _words(name)[-1]
    return next((units[0] for units in _UNITS if last in units), "s")


def _without_unit(name: str) -> str:
    words = _words(name)
    if len(words) > 1 and any(words[-1] in units for units in _UNITS):
        words = words[:-1]
    return "".join(words)


def untaken(document: Any, mapped: Mapped) -> list[Path]:
    """Places of a document that a mapping does not read."""
    paths = [path for key in _NAMES if (path := getattr(mapped, key)) is not None]
    paths += [*mapped.features.values(), *mapped.segments.values()]
    read = {_general(path) for path in paths}
    left = []
    for path, _ in leaves_of(document):
        star = mapped.star
        general = _general(path)
        if any(general[: len(one)] == one for one in read):
            continue
        inside = star is not None and general[: len(star)] == _general(star) and path != star
        if not (inside and star is not None and path[len(star)] not in mapped.ignore):
            left.append(path)
    return left


def _general(path: Path) -> Path:
    """With every index as any: a sample shows the first of an array."""
    return tuple(EACH if isinstance(step, int) else step for step in path)
