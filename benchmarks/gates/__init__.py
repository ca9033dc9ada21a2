"""The promises of docs/statistics.md as statistical tests, with their intervals.

`python -m benchmarks.gates` measures all of them; tests/statistics runs short forms.
"""

from benchmarks.gates.measured import Measured, write

__all__ = ["Measured", "write"]
