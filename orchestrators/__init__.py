"""What happens, in which order, and what if it fails. Deterministic; no I/O."""
