"""Rules of the profile strict alone: what holds for most skills, and is often meant otherwise."""
