"""The HTTP server that everything is mounted on."""
