"""Functions that call the tenant's own HTTP service."""
