import sys

import requests

print(requests)

if __name__ == "__main__":
    sys.exit(0)
