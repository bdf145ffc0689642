"""Calls over HTTP: which there are, what was said in them, and hanging up."""
