"""Functions that call a tool of the tenant's own MCP server."""
