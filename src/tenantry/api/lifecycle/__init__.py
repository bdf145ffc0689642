"""How long things are kept, and the export of a tenant, over HTTP."""
