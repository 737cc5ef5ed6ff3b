"""User functions: what they are, how they are called, and what becomes of rows that fail."""
