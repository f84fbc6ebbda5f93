# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=2,<3", "uvicorn[standard]~=0.40; python_version > '3.9'", "x @ https://example.org/x.whl"]
# ///
import numpy
