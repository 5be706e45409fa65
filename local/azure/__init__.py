"""The simulated Azure: one service per file, wire apart from state, as unkind as the real services are."""
