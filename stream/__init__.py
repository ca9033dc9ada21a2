"""Streaming drift monitor: events in, calibrated drift alerts out.

The modules that are imported by name (`stream.replay.replay`, `stream.config.load`, ...) are its
interface; importing the package itself loads nothing.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("driftstream")
except PackageNotFoundError:  # a source tree on the path that was never installed
    __version__ = "0+unknown"
