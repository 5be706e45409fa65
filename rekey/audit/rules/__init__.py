"""One rule per file: what in a vault's audit log people are told about."""
