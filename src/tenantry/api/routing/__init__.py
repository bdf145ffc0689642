"""A tenant's routing over HTTP."""
