"""Attempts to cross the borders between tenants inside the database, for `tenantry prove`."""
