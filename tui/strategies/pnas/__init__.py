"""Progressive search."""
