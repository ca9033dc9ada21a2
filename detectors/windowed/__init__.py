"""Tests of full windows of counts against the reference."""

__all__ = ["bank", "catalogue", "kernels", "levels", "rates"]
