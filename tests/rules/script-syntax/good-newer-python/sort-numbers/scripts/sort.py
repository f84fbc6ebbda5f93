# /// script
# requires-python = ">=3.99"
# dependencies = []
# ///
whatever it reads
