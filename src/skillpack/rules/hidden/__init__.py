"""Rules about text that a reader does not see."""
