"""Runs the demo."""

import sys

from local.demo.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
