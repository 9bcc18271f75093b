"""The same work on other durable engines, each in an environment of its own."""
