# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=2", "pyyaml"]
# ///
import numpy
import yaml
