"""Rules about commands and code, in fences and in files."""
