"""Channels: each knows its own wire, and nothing else."""
