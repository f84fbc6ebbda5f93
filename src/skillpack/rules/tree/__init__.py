"""Rules that compare the skills of a tree."""
