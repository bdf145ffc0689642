"""The call host: a process of its own that has one process for each call, none of which holds a secret of the server."""
