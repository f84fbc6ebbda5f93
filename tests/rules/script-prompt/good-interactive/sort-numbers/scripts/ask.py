import sys

if "--interactive" in sys.argv:
    print(input("Which? "))
