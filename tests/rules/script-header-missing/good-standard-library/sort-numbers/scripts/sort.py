#!/usr/bin/env python3
import json
import rows

print(json, rows)
