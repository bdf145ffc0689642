"""`tenantry agents`: agents of a tenant, one or many, and as files."""
