# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
match 1:
    case _:
        pass
