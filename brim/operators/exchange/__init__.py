"""Exchange: rows of an input in parts, of which each can be sorted, grouped or joined by itself."""
