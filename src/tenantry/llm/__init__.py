"""Models: what an agent thinks with."""
