"""Leaves service connections without a secret: converted, replaced, repaired or vended; one step a file."""
