"""Calls in a browser without LiveKit: the page's WebSocket ends in the server, which passes it on to a call process."""
