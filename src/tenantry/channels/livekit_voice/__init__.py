"""Voice: a private room and a process of its own for each caller."""
