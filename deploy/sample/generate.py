"""Make the sample anew, as after a change of the reference's format: run it as it is.

A model that says how likely a payment is fraud. Both files are sent again and again, so the
reference is of `demo.csv` itself, `TIMES` over in other orders: it stays quiet for good.
`changed.csv` has the same payments with amounts half as high again and the scores that follow: with
others, chance would be told as a change of country or age, round after round. Files and reference
have no column of times: events get those at which they are sent, and the reference is of `RATE`
events a second.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from detectors import fit_reference

HERE = Path(__file__).parent
RATE = 100
ROWS, TIMES = 1_000, 60


def payments(factor: float = 1.0) -> dict[str, list[Any]]:
    """Columns of the payments; `factor` is on the amounts."""
    rng = np.random.default_rng(1)
    amount = np.round(rng.lognormal(3.0, 0.8, ROWS) * factor, 2)
    age = rng.integers(18, 80, ROWS)
    country = rng.choice(["DE", "FR", "PL", "US"], ROWS, p=[0.45, 0.3, 0.15, 0.1])
    score = np.round(1 / (1 + np.exp(3.5 - amount / 25 + rng.normal(0, 0.5, ROWS))), 4)
    return {
        "amount": amount.tolist(),
        "age": age.tolist(),
        "country": country.tolist(),
        "score": score.tolist(),
        "label": np.where(score > 0.5, "fraud", "ok").tolist(),
    }


def write_rows(path: Path, columns: dict[str, list[Any]]) -> None:
    """Write columns as a CSV."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def main(folder: Path = HERE) -> None:
    """Write the reference and both files."""
    sent, rng = payments(), np.random.default_rng(2)
    order = np.concatenate([rng.permutation(ROWS) for _ in range(TIMES)])
    reference = fit_reference(
        {name: [values[i] for i in order] for name, values in sent.items()},
        model="fraud",
        times_ms=np.arange(ROWS * TIMES, dtype=np.int64) * 1_000 // RATE,
        roles={"score": "score", "label": "label"},
    )
    (folder / "fraud.json").write_bytes(reference.to_json())
    write_rows(folder / "demo.csv", sent)
    write_rows(folder / "changed.csv", payments(factor=1.5))


if __name__ == "__main__":
    main()
