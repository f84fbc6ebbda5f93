"""Rules about JSON files beside the skill."""
