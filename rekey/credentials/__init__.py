"""One credential kind per file; they never import each other."""
