"""What was noted while a skill was read."""
