"""The constructs that the stack composes. No construct grants permissions to another; the stack does."""
