"""The parts that the stack composes; none grants anything to another."""
