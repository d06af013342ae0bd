"""gradeonce: grade every prediction exactly once, and be able to prove it."""
