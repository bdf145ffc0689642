"""Turns over HTTP: their state, how they came about, and how to end them."""
