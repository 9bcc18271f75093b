"""MotoCloud: workflows on the whole AWS shape, in simulated time, for tests."""
