"""The REST API by feature, for the console, the CLI and integrators."""
