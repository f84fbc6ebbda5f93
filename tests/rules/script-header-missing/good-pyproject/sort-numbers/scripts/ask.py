#!/usr/bin/env python3
import requests

print(requests)
