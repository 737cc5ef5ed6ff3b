"""Benchmarks: brim beside its peers, in turn, in one run; seconds, peaks and whether they agree."""
