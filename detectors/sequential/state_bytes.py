"""States of detectors as bytes, and back: numbers that a state can hold, or a clear error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["read_state"]

Floats = npt.NDArray[np.float64]


def read_state(data: bytes, like: Floats, what: str) -> Floats:
    """Numbers of a dumped state, finite and at least 0, in the shape of `like`.

    Raises
    ------
    ValueError
        Naming `what` they are a state of, if they are not so many, or no state holds them.
    """
    if len(data) != like.nbytes:
        raise ValueError(f"a state of {what} has {like.nbytes} bytes; got {len(data)}.")
    state = np.frombuffer(data, np.float64).reshape(like.shape)
    if not (np.isfinite(state) & (state >= 0.0)).all():
        raise ValueError(f"not a state of {what}: its numbers must be finite and >= 0.")
    return state
