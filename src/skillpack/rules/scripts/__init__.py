"""Rules about Python scripts."""
