"""Runs workflow code against its records on a deterministic event loop, and says which commands are outstanding."""
