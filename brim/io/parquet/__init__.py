"""Parquet: row groups read within the budget and written whole."""
