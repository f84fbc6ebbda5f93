"""Rules about the text of SKILL.md."""
