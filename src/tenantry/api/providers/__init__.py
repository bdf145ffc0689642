"""Providers of language models over HTTP."""
