"""The frozen baseline of a model, its calibration, and how both are made anew from production."""

__all__ = ["calibration", "checked", "production", "rebase", "reference"]
