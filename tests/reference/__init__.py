"""Writes docs/reference from the docstrings of what is public: `python -m tests.reference`."""
