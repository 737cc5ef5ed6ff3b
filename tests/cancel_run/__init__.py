"""Cancel a run of each operator at its k-th await, for every k, once and twice: nothing is swallowed, nothing is left."""
