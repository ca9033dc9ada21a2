"""What all tests share: generated examples are the same at every run, so a failure comes again."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("driftstream", derandomize=True, deadline=None)
settings.load_profile("driftstream")
