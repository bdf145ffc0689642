"""Readers of values out of free text, one file each type; pure and bounded in time."""
