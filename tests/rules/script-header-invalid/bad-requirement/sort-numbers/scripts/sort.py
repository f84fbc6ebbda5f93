# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy 2"]
# ///
import numpy
