"""`python -m skillpack`."""

import sys

from skillpack.cli import main

if __name__ == "__main__":
    sys.exit(main())
