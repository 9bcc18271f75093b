"""The Model Context Protocol: workflows as tools of an agent. `stepfast mcp` runs it; it needs `stepfast[mcp]`.

It calls the HTTP API with `stepfast.Client`, so it works in front of `stepfast dev` and of a deployment alike.
"""
