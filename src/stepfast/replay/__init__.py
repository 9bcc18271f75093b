"""Runs workflow code against its records: the deterministic loop, what it forbids, what it leaves outstanding."""
