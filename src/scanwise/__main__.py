"""``python -m scanwise`` is ``scanwise``."""

from __future__ import annotations

import sys

from scanwise.cli import main

if __name__ == "__main__":
    sys.exit(main())
