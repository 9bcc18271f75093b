"""`stepfast dev --cloud moto`: the played AWS in real time, behind a real HTTP server."""
