# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=2,<3"]
# ///
import numpy


def f():
    from sklearn.svm import SVC
    return SVC
