"""Benchmarks: each module is a script that prints a table. Figures that depend on speed belong here, not in tests."""
