"""The call host: a process that has one more for each call, none of which holds a secret of the server."""
