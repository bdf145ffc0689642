"""Calls to services outside, on behalf of tenants."""
