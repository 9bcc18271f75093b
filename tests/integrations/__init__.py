"""Bridges to protocols of other projects, each with that project's own client."""
