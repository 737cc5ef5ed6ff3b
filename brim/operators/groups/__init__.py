"""Groups: aggregates of many groups at once, their states as columns that can be dealt out, spilled and merged."""
