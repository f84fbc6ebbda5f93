import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas
try:
    import numpy
except ImportError:
    numpy = None
if __name__ == "__main__":
    print(numpy, sys)
