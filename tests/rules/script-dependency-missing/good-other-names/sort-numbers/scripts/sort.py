# /// script
# requires-python = ">=3.10"
# dependencies = ["pyyaml==6.0.2", "pillow<13", "scikit-learn<2", "google-cloud-storage<4", "datasets<6", "python-docx<2"]
# ///
import yaml
from PIL import Image
import sklearn
from google.cloud import storage
import pandas
import docx
import os
