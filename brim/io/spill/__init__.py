"""Spill files: what does not fit in memory, in folders of the engine's own."""
