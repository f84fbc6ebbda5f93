# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
match 1:
    case _:
        print("\d")
