"""What one stage does: one operator a file, named for it."""
