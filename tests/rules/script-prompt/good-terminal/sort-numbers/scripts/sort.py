import sys

name = input("Name? ") if sys.stdin.isatty() else sys.argv[1]
