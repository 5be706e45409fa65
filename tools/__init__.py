"""What keeps the project honest: locks, lints and the one command that runs every check."""
