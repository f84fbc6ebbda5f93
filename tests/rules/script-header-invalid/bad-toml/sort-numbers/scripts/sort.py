# /// script
# dependencies = [numpy]
# ///
print(1)
