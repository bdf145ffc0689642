"""Metrics and traces of turns, made off the hot path."""
