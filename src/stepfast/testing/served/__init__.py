"""The cloud of `stepfast dev --cloud moto`: MotoCloud's event sources in real time, behind a real HTTP server."""
