"""Benchmarks of driftstream: end to end on a real broker beside its peers, and part by part."""
