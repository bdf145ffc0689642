"""Speech on this machine: one process hears and speaks for every call."""
