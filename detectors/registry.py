"""Every detector by name: what it is, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from detectors.distances import divergences
from detectors.sequential.adwin import ADWIN
from detectors.sequential.adwin_bank import AdwinBank
from detectors.sequential.cusum import CUSUM, CusumBank
from detectors.sequential.edetector import EDetectorBank
from detectors.sequential.page_hinkley import PageHinkley
from detectors.windowed.bank import WindowBank
from detectors.windowed.catalogue import WINDOWED_TESTS

__all__ = ["REGISTRY", "Detector"]

_NUMERIC: Final = ("numeric",)


class Detector(NamedTuple):
    """A registered detector.

    Attributes
    ----------
    form : str
        "item": fed with `update(x)` or `update_many(values)`. "bank": many slots, fed pane by pane.
        "window": a test of a full window, chosen by name in `WindowBank`. "distance": a function of
        two arrays of counts.
    make : callable
        The class or function.
    kinds : tuple of str
        Kinds of signals it takes, "numeric" or "categorical".
    """

    form: str
    make: Callable[..., Any]
    kinds: tuple[str, ...]


_BOTH: Final = ("numeric", "categorical")
_RANKS: Final = ("ks", "wasserstein")

REGISTRY: Final[Mapping[str, Detector]] = MappingProxyType(
    {
        "ADWIN": Detector("item", ADWIN, _NUMERIC),
        "CUSUM": Detector("item", CUSUM, _NUMERIC),
        "PageHinkley": Detector("item", PageHinkley, _NUMERIC),
        "AdwinBank": Detector("bank", AdwinBank, _NUMERIC),
        "CusumBank": Detector("bank", CusumBank, _NUMERIC),
        "EDetectorBank": Detector("bank", EDetectorBank, _NUMERIC),
        **{
            f"window:{name}": Detector("window", WindowBank, test.kinds)
            for name, test in WINDOWED_TESTS.items()
        },
        **{
            f"distance:{name}": Detector(
                "distance", getattr(divergences, name), _NUMERIC if name in _RANKS else _BOTH
            )
            for name in divergences.__all__
            if name not in ("bin_part", "statistic")
        },
    }
)
