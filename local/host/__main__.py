"""Entry point of `python -m local.host`."""

import sys

from local.host.cli import main

sys.exit(main())
