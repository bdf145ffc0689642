"""Memory blocks over HTTP."""
