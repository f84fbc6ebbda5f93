TEXT = """
for example `# /// script` begins it
"""
