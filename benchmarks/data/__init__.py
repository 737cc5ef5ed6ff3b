"""What the workloads read: made once from a seed into a cache folder, and found there the next time."""
