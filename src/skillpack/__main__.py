"""`python -m skillpack`."""

import gc
import sys

# Starting creates thousands of objects and hardly any garbage; looking for it at every 700th takes 5 % of a start.
gc.set_threshold(20_000)

from skillpack.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
