"""One idempotent step per file: decode, look up, call, encode. I/O starts here."""
