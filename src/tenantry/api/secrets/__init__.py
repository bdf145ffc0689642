"""Sealed secrets over HTTP."""
