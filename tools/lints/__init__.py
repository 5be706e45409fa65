"""The project's own rules, one concern a file; each rule reads one parsed file and yields findings."""
