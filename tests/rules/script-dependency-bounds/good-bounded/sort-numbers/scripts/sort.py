# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=2,<3", "pyyaml==6.0.2", "httpx~=0.28", "x @ https://example.org/x.whl"]
# ///
import numpy
import yaml
import httpx
