"""Crashes, a table: what a user function does to its worker, and what must come of it."""
