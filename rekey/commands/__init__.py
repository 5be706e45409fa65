"""The operator's commands, one a file: each adds itself to the parser and returns an exit code."""
