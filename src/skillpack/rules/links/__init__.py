"""Rules about what files say of each other."""
