"""One consumer kind per file; they never import each other."""
