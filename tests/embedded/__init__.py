"""stepfast.Embedded: the engine inside an application."""
