"""Values to bins and counts: binnings, flat count vectors, sketches without a reference, bytes."""

__all__ = ["binning", "coarse", "counts", "learned", "logbins", "names", "numerals", "sparse"]
