"""Transfers: objects of HTTP servers and of the file system, fetched piece by piece."""
