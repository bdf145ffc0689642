"""Benchmarks: one command, every figure beside a floor from the same run."""
