"""What agents keep in mind: the interface, and what stands behind it."""
