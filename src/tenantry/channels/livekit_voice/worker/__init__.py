"""The worker: a main process that takes calls, and a process of its own for each call."""
