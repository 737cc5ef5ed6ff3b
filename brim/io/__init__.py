"""The outside world: stores, transfers, file formats, sinks, workers, spill files."""
