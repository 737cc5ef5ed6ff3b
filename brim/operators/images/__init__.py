"""Images: what can be done to them, and the kernel that does it row by row."""
