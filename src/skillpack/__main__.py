"""`python -m skillpack`."""

import sys

from skillpack.start import main

if __name__ == "__main__":
    sys.exit(main())
