"""Benchmarks of stepfast. Each figure comes from a process of its own, on a file on the checkout's disk."""
