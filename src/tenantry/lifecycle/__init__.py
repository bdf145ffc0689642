"""What becomes of a tenant's data in the end: archived, deleted, exported."""
