"""One whole rotation, live, on one machine: `python -m local.demo [--kind KIND] [--json] [--keep]`.

Its exit code is 0 only if the rotation came to its end and everything that `local.judge` looks at holds.
"""
