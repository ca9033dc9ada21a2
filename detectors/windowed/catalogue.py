"""The windowed tests by name: what signals they take, what they measure, what size is serious."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from detectors.distances import divergences

__all__ = ["DEFAULT_TESTS", "WINDOWED_TESTS", "WindowTest", "choose_tests"]

_BOTH: Final = ("numeric", "categorical")
_NUMERIC: Final = ("numeric",)
_CATEGORICAL: Final = ("categorical",)


class WindowTest(NamedTuple):
    """A windowed test.

    Attributes
    ----------
    text, short : str
        What a sentence calls what it measures, and what a table calls the test.
    kinds : tuple of str
        Of signals that it can be made on.
    steps : (float, float)
        Effects from which a finding is a warning, and critical: as of a normal whose mean moves
        until its PSI is .10 and .25. For rates the rise, for shares of names by how much one moved.
    code : int
        Of the distance in `divergences`; -1 for rates and shares.
    ranks : bool
        Made on the fine bins' ranks, not on coarse bins.
    factor : float
        Null law: the distance, or its square if `root`, is `factor` times PSI.
    root : bool
    pivot : bool
        The statistic has sample sizes in it already; its law is that of PSI / (1/N + 1/n).
    """

    text: str
    short: str
    kinds: tuple[str, ...]
    steps: tuple[float, float]
    code: int = -1
    ranks: bool = False
    factor: float = 1.0
    root: bool = False
    pivot: bool = False


_SHIFT: Final = (0.085, 0.14)
_SHARE: Final = (0.125, 0.195)
_PSI: Final = (0.10, 0.25)
_RATE: Final = (0.02, 0.10)

#: Every windowed test, in the order in which they are made. A new one is a row at the end.
WINDOWED_TESTS: Final[Mapping[str, WindowTest]] = MappingProxyType({
    "psi": WindowTest("PSI", "PSI", _BOTH, _PSI, divergences.PSI),
    "kl": WindowTest("KL divergence", "KL", _BOTH, (0.05, 0.125), divergences.KL, factor=0.5),
    "js": WindowTest("JS divergence", "JS", _BOTH, (0.0125, 0.031), divergences.JS, factor=0.125),
    "hellinger": WindowTest(
        "Hellinger distance", "Hellinger", _BOTH, (0.112, 0.176), divergences.HELLINGER,
        factor=0.125, root=True,
    ),
    "total_variation": WindowTest(
        "total variation", "total variation", _BOTH, _SHARE, divergences.TOTAL_VARIATION,
        root=True,
    ),
    "chi2": WindowTest("chi2", "chi²", _BOTH, _PSI, divergences.CHI2, pivot=True),
    "g": WindowTest("G", "G", _BOTH, _PSI, divergences.G, pivot=True),
    "wasserstein": WindowTest(
        "Wasserstein distance of ranks", "Wasserstein", _NUMERIC, _SHIFT, divergences.WASSERSTEIN,
        ranks=True, root=True,
    ),
    "ks": WindowTest("KS distance", "KS", _NUMERIC, _SHARE, divergences.KS, ranks=True, root=True),
    "name_share": WindowTest("change of a name's share", "a name's share", _CATEGORICAL, _RATE),
    "missing_rate": WindowTest("missing rate", "missing", _BOTH, _RATE),
    "invalid_rate": WindowTest("wrong type rate", "wrong type", _BOTH, _RATE),
    "unseen_rate": WindowTest("unseen rate", "unseen", _CATEGORICAL, _RATE),
    "range_rate": WindowTest("out of range rate", "out of range", _NUMERIC, _RATE),
})  # fmt: skip

#: What runs on a signal of each kind if nothing else is said.
DEFAULT_TESTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "numeric": ("psi", "missing_rate", "invalid_rate", "range_rate"),
    "categorical": ("psi", "name_share", "missing_rate", "invalid_rate", "unseen_rate"),
})  # fmt: skip


def choose_tests(name: str, kind: str, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """The tests of a signal, in a fixed order: those wanted, or the default for None.

    Raises
    ------
    ValueError
        If a test is unknown, or not for signals of this kind.
    """
    if wanted is None:
        return DEFAULT_TESTS[kind]
    for test in wanted:
        known = WINDOWED_TESTS.get(test)
        if known is None or kind not in known.kinds:
            fit = ", ".join(t for t, entry in WINDOWED_TESTS.items() if kind in entry.kinds)
            raise ValueError(
                f"signal {name!r} is {kind}: test {test!r} is not for it. Choose among {fit}."
            )
    return tuple(test for test in WINDOWED_TESTS if test in wanted)
