"""The workloads: one file each, with what it reads and the best pipeline for every engine that can do it."""
