"""JSON lines: read by a schema, written as they are."""
