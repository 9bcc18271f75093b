"""Typed values to JSON text and back, and the refusal of what would not come back as it was."""
