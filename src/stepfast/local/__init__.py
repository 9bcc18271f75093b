"""The embedded runtime: everything in one process on one file."""
