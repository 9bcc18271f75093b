"""`stepfast mcp`, called by the client of the MCP SDK."""
