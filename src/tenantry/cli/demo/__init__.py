"""The demo: a tenant with two members whose agents have the same name, and two callers at once."""
